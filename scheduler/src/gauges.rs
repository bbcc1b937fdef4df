//! Gauges: what waits where, how old it is, who lives, which connections are held back and which alerts fire.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{Label, gauge};
use shared::alert::AlertState;
use shared::choices;
use shared::job::JobState;
use shared::queue::Lane;
use shared::store::jobs::LaneCount;
use shared::store::{alerts, cadences, choice_lists, circuits, jobs, processes};
use shared::telemetry::names;

use crate::Scheduler;

const STATES: [JobState; 5] = [
    JobState::Due,
    JobState::Rung,
    JobState::Running,
    JobState::Parked,
    JobState::Dead,
];

/// What the gauges have shown so far: what is gone is set to zero, else it would keep its last value for ever.
#[derive(Debug, Default)]
pub struct Gauges {
    lanes: BTreeSet<String>,
    /// Connections, and tables of them as `main/incident`.
    held: BTreeSet<String>,
}

impl Gauges {
    /// One round.
    pub async fn tick(&mut self, scheduler: &Scheduler) -> anyhow::Result<()> {
        let now = scheduler.now();
        let conn = scheduler.store.conn();
        let counts = jobs::counts(conn).await?;
        self.lanes
            .extend(counts.iter().map(|count| count.lane.clone()));
        for lane in &self.lanes {
            show_lane(lane, &counts, now);
        }
        let lanes: Vec<Lane> = self
            .lanes
            .iter()
            .filter_map(|lane| lane.parse().ok())
            .collect();
        show_heartbeats(scheduler, now).await?;
        show_cadences(scheduler, now).await?;
        self.show_connections(scheduler).await?;
        show_alerts(scheduler).await?;
        show_choices(scheduler).await?;
        // Last: while the broker is away, all other figures go on.
        for (lane, depth) in scheduler.broker.depth(&lanes).await? {
            gauge!(names::QUEUE_DEPTH, "lane" => lane.to_string()).set(figure(depth));
        }
        Ok(())
    }

    async fn show_connections(&mut self, scheduler: &Scheduler) -> anyhow::Result<()> {
        let open = circuits::all(scheduler.store.conn()).await?;
        let named = scheduler.settings.connections.keys().cloned();
        self.held.extend(named);
        self.held
            .extend(open.iter().map(|it| it.connection.clone()));
        for name in &self.held {
            let circuit = open.iter().find(|it| it.connection == *name);
            let until = circuit.map_or(0.0, |it| seconds(it.until - DateTime::UNIX_EPOCH));
            let labels = match name.split_once('/') {
                Some((connection, table)) => {
                    vec![
                        Label::new("connection", connection.to_owned()),
                        Label::new("table", table.to_owned()),
                    ]
                }
                None => vec![Label::new("connection", name.clone())],
            };
            gauge!(names::CONNECTION_HELD_UNTIL_SECONDS, labels).set(until);
        }
        Ok(())
    }
}

fn show_lane(lane: &str, counts: &[LaneCount], now: DateTime<Utc>) {
    for state in STATES {
        let count = counts
            .iter()
            .find(|count| count.lane == lane && count.state == state);
        let jobs = count.map_or(0, |count| count.count);
        gauge!(names::JOBS, "lane" => lane.to_owned(), "state" => state.as_str()).set(figure(jobs));
    }
    let waits =
        |it: &&LaneCount| it.lane == lane && matches!(it.state, JobState::Due | JobState::Rung);
    let oldest = counts.iter().filter(waits).filter_map(|it| it.oldest).min();
    gauge!(names::OLDEST_DUE_SECONDS, "lane" => lane.to_owned())
        .set(oldest.map_or(0.0, |due| seconds(now - due)));
}

/// The age of the oldest heartbeat among the processes that are believed to live.
async fn show_heartbeats(scheduler: &Scheduler, now: DateTime<Utc>) -> anyhow::Result<()> {
    let alive = processes::alive(scheduler.store.conn(), now).await?;
    let oldest = alive
        .iter()
        .map(|it| seconds(now - it.heartbeat_at))
        .fold(0.0, f64::max);
    gauge!(names::HEARTBEAT_AGE_SECONDS).set(oldest);
    Ok(())
}

/// How long ago what is read again and again was last read to its end. What is paused is nobody's delay.
async fn show_cadences(scheduler: &Scheduler, now: DateTime<Utc>) -> anyhow::Result<()> {
    for it in cadences::list(scheduler.store.conn()).await? {
        let finished = it.last_finished_at.filter(|_| !it.paused);
        let age = finished.map_or(0.0, |at| seconds(now - at));
        gauge!(names::CADENCE_AGE_SECONDS, "cadence" => it.name).set(age);
    }
    Ok(())
}

async fn show_alerts(scheduler: &Scheduler) -> anyhow::Result<()> {
    for alert in alerts::all(scheduler.store.conn()).await? {
        let fires = alert.standing.state == AlertState::Firing;
        let severity = scheduler.settings.alerts.rules.of(alert.name).severity;
        gauge!(names::ALERT_FIRING, "alert" => alert.name.as_str(), "severity" => severity.as_str())
            .set(f64::from(u8::from(fires)));
    }
    Ok(())
}

async fn show_choices(scheduler: &Scheduler) -> anyhow::Result<()> {
    let readings = choice_lists::all(scheduler.store.conn()).await?;
    for route in scheduler.routes.iter() {
        let known = readings
            .iter()
            .find(|it| it.is_of(route) && it.problem.is_none());
        let count = known.map(|reading| {
            let found = choices::compare(&route.states, &reading.lists);
            let breaking = found.iter().filter(|it| it.difference.breaks());
            figure(breaking.count() as u64)
        });
        gauge!(names::CHOICE_DRIFT, "route" => route.name.clone()).set(count.unwrap_or(f64::NAN));
    }
    Ok(())
}

fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Zero for what lies in the future.
fn seconds(age: TimeDelta) -> f64 {
    age.to_std().unwrap_or_default().as_secs_f64()
}
