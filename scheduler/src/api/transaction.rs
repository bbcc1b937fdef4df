//! One unit of work of a call: a transaction, and the bells to be rung once it is committed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::crash::{Point, reach};
use shared::job::NewJob;
use shared::queue::ring;
use shared::store::jobs::{self, QueuedJob};
use shared::store::{StoreError, Tx};
use tokio::time::timeout;

use super::problem::Problem;
use super::problem_kind::Kind;
use crate::Scheduler;

/// How long a caller waits for the bells of what it has stored.
const RINGING: Duration = Duration::from_millis(500);
/// How often a transaction that met another one is repeated.
const TRIES: usize = 8;

/// An open transaction and what is to follow it.
pub(crate) struct Work {
    pub(crate) tx: Tx,
    /// Jobs that were inserted as rung.
    pub(crate) rung: Vec<QueuedJob>,
    /// Whether a job was left to the relay.
    left_due: bool,
}

/// Why a unit of work did not end.
pub(crate) enum Unfinished {
    /// Tell the caller.
    Refused(Problem),
    /// Another transaction stood in the way: do it again from the start.
    Raced(StoreError),
    /// What was read has changed since: do it again from the start.
    Stale,
}

impl From<Problem> for Unfinished {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Raced(_) | StoreError::Conflict { .. } => Self::Raced(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<Unfinished> for Problem {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::Refused(problem) => problem,
            Unfinished::Raced(error) => error.into(),
            Unfinished::Stale => {
                let detail = "The request changes faster than this call can be carried out. Read it again, decide again.";
                Self::new(Kind::VersionMismatch, detail)
            }
        }
    }
}

impl Work {
    /// Inserts a job: to be rung after the commit where its lane has room, else left to the relay.
    pub(crate) async fn insert_job(
        &mut self,
        scheduler: &Scheduler,
        job: &NewJob,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if scheduler
            .lanes
            .admit(&job.lane(), job.connection.as_deref())
        {
            self.rung.extend(jobs::insert(&self.tx, job, now).await?);
        } else {
            jobs::insert_due(&self.tx, job, now).await?;
            self.left_due = true;
        }
        Ok(())
    }

    /// The same for jobs of requests that this very transaction has stored.
    pub(crate) async fn insert_new_jobs(
        &mut self,
        scheduler: &Scheduler,
        new: Vec<NewJob>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let admit = |job: &NewJob| {
            scheduler
                .lanes
                .admit(&job.lane(), job.connection.as_deref())
        };
        let rung: Vec<bool> = new.iter().map(admit).collect();
        self.left_due |= rung.contains(&false);
        let new: Vec<(NewJob, bool)> = new.into_iter().zip(rung).collect();
        self.rung
            .extend(jobs::insert_many(&self.tx, &new, now).await?);
        Ok(())
    }
}

/// What is decided and stored in one transaction.
pub(crate) trait Deed: Sync {
    type Done: Send;

    /// Does it; run again from the start when another transaction came between.
    fn run(
        &self,
        scheduler: &Scheduler,
        work: &mut Work,
    ) -> impl Future<Output = Result<Self::Done, Unfinished>> + Send;
}

impl Scheduler {
    /// Runs a deed in a transaction, commits, and rings. Nothing is stored when it fails.
    pub(crate) async fn carry_out<D: Deed>(&self, deed: &D) -> Result<D::Done, Problem> {
        let mut tries = 1;
        loop {
            match self.try_once(deed).await {
                Ok(done) => return Ok(done),
                Err(Unfinished::Raced(_) | Unfinished::Stale) if tries < TRIES => tries += 1,
                Err(unfinished) => return Err(unfinished.into()),
            }
        }
    }

    async fn try_once<D: Deed>(&self, deed: &D) -> Result<D::Done, Unfinished> {
        let mut work = Work {
            tx: self.store.begin().await?,
            rung: Vec::new(),
            left_due: false,
        };
        let done = deed.run(self, &mut work).await?;
        reach(Point::IntakeWritten).await;
        work.tx.commit().await.map_err(StoreError::from)?;
        self.announce(&work.rung, work.left_due).await;
        Ok(done)
    }

    /// Rings for what has been committed, and wakes those that wait for it.
    pub(crate) async fn announce(&self, rung: &[QueuedJob], left_due: bool) {
        reach(Point::IntakeCommitted).await;
        // What is stored is safe: a caller does not wait for a broker that hangs, and the relay rings again.
        if timeout(RINGING, ring(&*self.broker, rung)).await.is_err() {
            tracing::debug!(
                jobs = rung.len(),
                "the broker is slow; the relay rings again"
            );
        }
        if left_due {
            self.relay_nudge.notify_one();
        }
        self.feed_nudge.notify_one();
        reach(Point::IntakeRung).await;
    }
}
