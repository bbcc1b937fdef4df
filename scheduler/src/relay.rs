//! The relay: turns due jobs into doorbells, in batches, and rings again what nobody answered.
//!
//! Each lane is kept shallow: at most `queue.window` bells wait in it, the rest waits in SQL in order of priority. A
//! connection whose circuit is open gets no bell but for a check; when its time has come, one job tries it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use shared::crash::{Point, reach};
use shared::job::{JobKind, lane_name};
use shared::queue::{Lane, ring};
use shared::store::circuits::{self, Circuit};
use shared::store::jobs::{self, LaneDue, QueuedJob};
use shared::store::switches::PausedLanes;
use shared::store::{StoreError, switches};
use shared::telemetry::names;

use crate::Scheduler;

/// One round: looks at every lane, rings what is due and rings again what got lost. How many bells were rung.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let now = scheduler.now();
    let conn = scheduler.store.conn();
    let circuits = circuits::all(conn).await?;
    let mut waiting = jobs::lanes_waiting(conn, now).await?;
    let paused = PausedLanes::of(&switches::get_all(conn).await?);
    waiting.retain(|it| !paused.holds(&it.lane));
    // Asked before anything is marked as rung: while the broker is gone, jobs stay due.
    let depths = depths(scheduler, &waiting).await?;
    let held = circuits
        .iter()
        .map(|circuit| circuit.connection.clone())
        .collect();
    let mut round = Round {
        scheduler,
        now,
        depths,
        held,
    };

    let mut rung = round.ring_lost(&waiting).await?;
    rung += round.ring_due(&waiting).await?;
    rung += round.ring_checks(&waiting).await?;
    for circuit in circuits.iter().filter(|circuit| circuit.until <= now) {
        rung += round.ring_probe(circuit, &waiting).await?;
    }
    // More is due than fits: while the workers make room, the rest is not left for the next interval.
    let waits = |it: &LaneDue| it.due > 0 && !round.is_held(&it.lane);
    let fallen = |it: &LaneDue| scheduler.lanes.has_fallen(&it.lane, round.depth(&it.lane));
    let moves = rung > 0 || waiting.iter().any(|it| waits(it) && fallen(it));
    if waiting.iter().any(waits) && scheduler.lanes.looks_again(moves) {
        scheduler.relay_nudge.notify_one();
    }
    scheduler.lanes.note(round.depths, round.held);
    Ok(rung)
}

async fn depths(
    scheduler: &Scheduler,
    waiting: &[LaneDue],
) -> anyhow::Result<HashMap<String, u64>> {
    let lanes: Vec<Lane> = waiting
        .iter()
        .filter_map(|it| it.lane.parse().ok())
        .collect();
    let depths = scheduler.broker.depth(&lanes).await?;
    Ok(depths
        .into_iter()
        .map(|(lane, depth)| (lane.to_string(), depth))
        .collect())
}

/// What one round has seen.
struct Round<'a> {
    scheduler: &'a Scheduler,
    now: DateTime<Utc>,
    /// Bells in each lane, those of this round included.
    depths: HashMap<String, u64>,
    /// Connections whose circuit is open.
    held: HashSet<String>,
}

impl Round<'_> {
    async fn ring_due(&mut self, waiting: &[LaneDue]) -> Result<usize, StoreError> {
        let rooms: Vec<(String, u64)> = waiting
            .iter()
            .filter(|it| it.due > 0 && !self.is_held(&it.lane))
            .map(|it| {
                (
                    it.lane.clone(),
                    self.scheduler.lanes.room(self.depth(&it.lane)).min(it.due),
                )
            })
            .filter(|(_, room)| *room > 0)
            .collect();
        if rooms.is_empty() {
            return Ok(0);
        }
        let tx = self.scheduler.store.begin().await?;
        let taken = jobs::take_due(&tx, self.now, &rooms).await?;
        reach(Point::RelayTaken).await;
        tx.commit().await?;
        reach(Point::RelayCommitted).await;
        Ok(self.push(&taken).await)
    }

    /// A check is how an operator finds out why a connection is held: it is rung all the same.
    async fn ring_checks(&mut self, waiting: &[LaneDue]) -> Result<usize, StoreError> {
        let held: Vec<String> = waiting
            .iter()
            .filter(|it| self.is_held(&it.lane))
            .filter_map(|it| connection_of(&it.lane).map(|name| (it, name)))
            .filter(|(it, name)| it.lane == lane_name(JobKind::CheckConnection, Some(name)))
            .map(|(_, name)| name.to_owned())
            .collect();
        if held.is_empty() {
            return Ok(0);
        }
        let conn = self.scheduler.store.conn();
        let taken = jobs::take_checks(conn, &held, self.answer_due(), self.now).await?;
        Ok(self.push(&taken).await)
    }

    /// Bells wait in their lane in the order they were rung. So of the jobs that were rung and not claimed, the youngest
    /// are those whose bells still wait; as many more as there are, the oldest, have lost theirs.
    async fn ring_lost(&mut self, waiting: &[LaneDue]) -> Result<usize, StoreError> {
        let mut rung = 0;
        for it in waiting {
            if self.is_held(&it.lane) {
                continue;
            }
            let lost = it
                .rung
                .saturating_sub(self.depth(&it.lane))
                .min(self.scheduler.settings.queue.window);
            rung += self.ring_again(&it.lane, lost).await?;
        }
        Ok(rung)
    }

    async fn ring_again(&mut self, lane: &str, most: u64) -> Result<usize, StoreError> {
        if most == 0 {
            return Ok(0);
        }
        let again = jobs::ring_again(
            self.scheduler.store.conn(),
            lane,
            self.answer_due(),
            self.now,
            most,
        )
        .await?;
        reach(Point::RelayRungAgain).await;
        counter!(names::RUNG_AGAIN_TOTAL, "lane" => lane.to_owned()).increment(again.len() as u64);
        Ok(self.push(&again).await)
    }

    /// Lets one job try a connection whose time has come, unless one is at it already.
    async fn ring_probe(
        &mut self,
        circuit: &Circuit,
        waiting: &[LaneDue],
    ) -> Result<usize, StoreError> {
        if self.is_probed(circuit).await? {
            return Ok(0);
        }
        let lanes = waiting
            .iter()
            .filter(|it| connection_of(&it.lane) == Some(circuit.connection.as_str()));
        for it in lanes.clone().filter(|it| it.due > 0) {
            let taken = self.take_probe(circuit, &it.lane).await?;
            if !taken.is_empty() {
                return Ok(self.push(&taken).await);
            }
        }
        for it in lanes.filter(|it| it.rung > 0) {
            let rung = self.ring_again(&it.lane, 1).await?;
            if rung > 0 {
                return Ok(rung);
            }
        }
        Ok(0)
    }

    async fn is_probed(&self, circuit: &Circuit) -> Result<bool, StoreError> {
        use shared::job::JobState;
        let Some(id) = circuit.probing_job else {
            return Ok(false);
        };
        let job = jobs::find(self.scheduler.store.conn(), id).await?;
        Ok(job.is_some_and(|job| match job.state {
            JobState::Running => true,
            JobState::Rung => job
                .rung_at
                .is_some_and(|rung_at| rung_at >= self.answer_due()),
            _ => false,
        }))
    }

    async fn take_probe(
        &self,
        circuit: &Circuit,
        lane: &str,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let tx = self.scheduler.store.begin().await?;
        let taken = jobs::take_due(&tx, self.now, &[(lane.to_owned(), 1)]).await?;
        for job in &taken {
            if !circuits::try_probe(&tx, &circuit.connection, job.id, self.now).await? {
                // Another relay was faster, or the circuit has closed; the transaction is rolled back.
                return Ok(Vec::new());
            }
        }
        reach(Point::RelayProbeTaken).await;
        tx.commit().await?;
        reach(Point::RelayProbeCommitted).await;
        Ok(taken)
    }

    async fn push(&mut self, jobs: &[QueuedJob]) -> usize {
        ring(&*self.scheduler.broker, jobs).await;
        for job in jobs {
            *self.depths.entry(job.lane.clone()).or_default() += 1;
        }
        jobs.len()
    }

    fn depth(&self, lane: &str) -> u64 {
        self.depths.get(lane).copied().unwrap_or_default()
    }

    fn is_held(&self, lane: &str) -> bool {
        connection_of(lane).is_some_and(|connection| self.held.contains(connection))
    }

    /// What was rung before this moment should have been answered.
    fn answer_due(&self) -> DateTime<Utc> {
        let patience = self.scheduler.settings.scheduler.ring_again();
        self.now - TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX)
    }
}

/// The connection of `create-ticket@main`; `None` for lanes that call no instance.
fn connection_of(lane: &str) -> Option<&str> {
    lane.split_once('@').map(|(_, connection)| connection)
}
