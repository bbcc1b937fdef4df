//! Jobs over which workers die (ARCHITECTURE.md, "Delivery"): who may run beside whom, and when one is given up.

use chrono::TimeDelta;
use shared::job::{Claimed, JobKind, POISON, SUSPECT};
use shared::store::{StoreError, tickets};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::close::Later;
use crate::context::Context;
use crate::outcome::{Finished, Outcome};
use crate::run::Run;

/// The class of a job that was given up because its workers died.
pub(super) const CLASS: &str = "poison";
/// The class of a job that an operator has ended.
pub(super) const KILLED: &str = "killed";

/// A suspect that finds another one in the same process looks again so soon.
const BESIDE: Later = Later {
    class: "suspect",
    message: "workers died over this job; it runs when no other such job runs in the same process",
    wait: TimeDelta::seconds(1),
};

/// Room for one suspect in a process.
pub(crate) struct Suspects(Semaphore);

impl Default for Suspects {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

/// Whether a job may run here now. A suspect has to be the only one, or an innocent would be blamed for what its neighbour did.
pub(super) fn admit<'a>(
    ctx: &'a Context,
    job: &Claimed,
) -> Result<Option<SemaphorePermit<'a>>, Later> {
    if job.worker_deaths < SUSPECT || is_poison(job) {
        return Ok(None);
    }
    ctx.suspects.0.try_acquire().map(Some).map_err(|_| BESIDE)
}

/// Whether it is not to be run any more.
fn is_poison(job: &Claimed) -> bool {
    job.worker_deaths >= POISON
}

/// Why a job is not to be run: an operator's word, or its dead workers.
pub(super) fn verdict(job: &Claimed) -> Option<(&'static str, String)> {
    if let Some(sentence) = &job.sentence {
        return Some((KILLED, sentence.clone()));
    }
    is_poison(job).then(|| {
        let deaths = job.worker_deaths;
        let reason =
            format!("{deaths} workers in a row died while they ran it, so it is not run again");
        (CLASS, reason)
    })
}

/// The end of a job that is not to be run. Its handler is not called; only what the store knows is asked.
pub(super) async fn given_up(run: &Run<'_>, class: &'static str, reason: String) -> Finished {
    match has_its_ticket(run).await {
        // A poll has found what its create could not report.
        Ok(true) => Finished::default(),
        Ok(false) => Finished {
            outcome: Outcome::dead(class, reason),
            ..Finished::default()
        },
        Err(error) => Finished {
            outcome: Outcome::Hold {
                scope: None,
                until: run.now() + BESIDE.wait,
                class: "database",
                message: error.to_string(),
            },
            ..Finished::default()
        },
    }
}

async fn has_its_ticket(run: &Run<'_>) -> Result<bool, StoreError> {
    let (Ok(JobKind::CreateTicket), Some(request_id)) = (run.job.kind.parse(), run.job.request_id)
    else {
        return Ok(false);
    };
    let ticket = tickets::of_request(run.ctx.store.conn(), request_id).await?;
    Ok(ticket.is_some_and(|ticket| ticket.exists))
}
