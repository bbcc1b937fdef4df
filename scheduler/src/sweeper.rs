//! The sweeper: gives back the jobs of workers that fell silent, and forgets what nobody needs any more.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use shared::crash::{Point, reach};
use shared::store::jobs::Reclaimed;
use shared::store::{idempotency, jobs, processes};
use shared::telemetry::names;

use crate::Scheduler;

/// Jobs that are taken back in one statement.
const BATCH: u64 = 500;
/// How many leases a job waits for its verdict after the last worker died over it: time enough for another worker to die without
/// it where workers are killed by something else. Nobody waits for it meanwhile but its own request.
const VERDICT_AFTER: u32 = 8;
/// Idempotency keys live for days; looking for old ones now and then is enough.
const FORGET_EVERY: TimeDelta = TimeDelta::hours(1);

/// What the sweeper remembers between its rounds.
#[derive(Debug, Default)]
pub struct Sweeper {
    forgot_at: Option<DateTime<Utc>>,
}

impl Sweeper {
    /// One round. How many jobs were taken back.
    pub async fn tick(&mut self, scheduler: &Scheduler) -> anyhow::Result<usize> {
        let now = scheduler.now();
        if self.forgot_at.is_none_or(|then| now - then >= FORGET_EVERY) {
            let keep = TimeDelta::from_std(scheduler.settings.scheduler.idempotency())?;
            idempotency::sweep(scheduler.store.conn(), now - keep).await?;
            self.forgot_at = Some(now);
        }
        tick(scheduler).await
    }
}

/// Takes back what runs under leases that have run out; the relay rings it at once.
///
/// A worker that dies without a suspect in hand was killed by something else, and so may those before it have been: deaths speak
/// against a job only as long as no worker dies without it (ARCHITECTURE.md, "Delivery").
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let now = scheduler.now();
    let conn = scheduler.store.conn();
    let gone = processes::expire(conn, now).await?;
    for process in &gone {
        tracing::warn!(process, "fell silent; its jobs run elsewhere");
    }
    reach(Point::SweeperExpired).await;
    // Asked before its jobs are taken back, because another worker may have them a moment later.
    let mut unexplained = Vec::new();
    for process in gone {
        if !jobs::had_suspect(conn, &process).await? {
            unexplained.push(process);
        }
    }
    let taken = take_back(scheduler, now).await?;
    for process in unexplained {
        let acquitted = jobs::acquit(conn, &process, now).await?;
        tracing::debug!(process, acquitted, "died with no suspect in hand");
    }
    if !taken.is_empty() {
        counter!(names::JOBS_RECLAIMED_TOTAL).increment(taken.len() as u64);
        scheduler.relay_nudge.notify_one();
    }
    Ok(taken.len())
}

/// Batch by batch, what runs under no lease.
async fn take_back(scheduler: &Scheduler, now: DateTime<Utc>) -> anyhow::Result<Vec<Reclaimed>> {
    let verdict = now + TimeDelta::from_std(scheduler.settings.worker.lease() * VERDICT_AFTER)?;
    let mut taken = Vec::new();
    loop {
        let batch = jobs::reclaim(scheduler.store.conn(), now, verdict, BATCH).await?;
        for job in &batch {
            tracing::warn!(job.id = %job.id, job.kind, worker = job.owner, deaths = job.worker_deaths, "job taken back");
        }
        reach(Point::SweeperReclaimed).await;
        let last = (batch.len() as u64) < BATCH;
        taken.extend(batch);
        if last {
            return Ok(taken);
        }
    }
}
