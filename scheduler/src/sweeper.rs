//! The sweeper: gives back the jobs of workers that fell silent, and forgets what nobody needs any more.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use shared::store::{idempotency, jobs, processes};
use shared::telemetry::names;

use crate::Scheduler;

/// Jobs that are taken back in one statement.
const BATCH: u64 = 500;
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

/// Takes back what runs under leases that have run out, batch by batch; the relay rings it at once.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let now = scheduler.now();
    let conn = scheduler.store.conn();
    for process in processes::expire(conn, now).await? {
        tracing::warn!(process, "fell silent; its jobs run elsewhere");
    }
    let mut total = 0;
    loop {
        let batch = jobs::reclaim(conn, now, BATCH).await?;
        for job in &batch {
            tracing::warn!(job.id = %job.id, job.kind, worker = job.owner, deaths = job.worker_deaths, "job taken back");
        }
        total += batch.len();
        if (batch.len() as u64) < BATCH {
            break;
        }
    }
    if total > 0 {
        counter!(names::JOBS_RECLAIMED_TOTAL).increment(total as u64);
        scheduler.relay_nudge.notify_one();
    }
    Ok(total)
}
