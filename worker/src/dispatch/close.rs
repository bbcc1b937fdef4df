//! The closing transaction: effects, attempt and end of a run together, under its lease; concurrent ends share one transaction.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use shared::crash::{Point, reach};
use shared::store::StoreError;
use shared::store::jobs::Ending;
use tracing::{error, warn};

use super::claim::Work;
use super::verdict::{self, Closing};
use super::write::{self, Written};
use crate::context::Context;
use crate::effects::Effects;
use crate::gather::Gather;

/// First and longest wait while the database is away. What a run has done must not be forgotten, so there is no last one.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The closings of a process, gathered.
pub(crate) type Closings = Gather<Arc<Closing>, Option<Written>>;

/// Why a claimed job is not run now.
pub(super) struct Later {
    pub(super) class: &'static str,
    pub(super) message: &'static str,
    pub(super) wait: TimeDelta,
}

/// A job of an unknown kind waits for a newer worker.
pub(super) const UNKNOWN_KIND: Later = Later {
    class: "unknown_kind",
    message: "left for a newer worker",
    wait: TimeDelta::seconds(30),
};

/// Writes the end of a run.
pub(super) async fn close(ctx: &Context, closing: Closing) {
    let mut closing = Arc::new(closing);
    let mut wait = AGAIN.0;
    loop {
        // The first try shares its transaction with others; what it could not write is written alone, or says why not.
        let shared = ctx
            .closings
            .submit(Arc::clone(&closing), |all| batch(ctx, all))
            .await
            .flatten();
        let written = match shared {
            Some(written) => Ok(written),
            None => commit(ctx, &[&closing]).await,
        };
        match written {
            Ok(Written::All) => return,
            Ok(Written::LeaseLost) => return lost(&closing),
            Ok(Written::Stale) => {
                let why = "the ticket changed meanwhile";
                closing = Arc::new(instead(ctx, &closing, "stale", why));
            }
            Err(error) if error.is_transient() => {
                warn!(%error, job = %closing.job.id, "the end of a run waits for the database");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(AGAIN.1);
            }
            Err(error) => {
                error!(%error, job = %closing.job.id, "the effects of a run cannot be written; it runs again");
                closing = Arc::new(instead(ctx, &closing, "unwritable", &error.to_string()));
            }
        }
    }
}

/// Puts a claimed job back without having run it.
pub(super) async fn put_off(ctx: &Context, work: &Work, later: Later) {
    let due_at = ctx.clock.now() + later.wait;
    let ending = Ending::PutOff {
        due_at,
        class: later.class.to_owned(),
        message: later.message.to_owned(),
    };
    let closing = Closing {
        job: work.job.clone(),
        ending,
        attempt: None,
        effects: Effects::default(),
        circuits: Vec::new(),
    };
    close(ctx, closing).await;
}

/// One transaction for all. `None` for each when it had to be rolled back: then each is written alone.
async fn batch(ctx: &Context, all: Vec<Arc<Closing>>) -> Vec<Option<Written>> {
    let closings: Vec<&Closing> = all.iter().map(|it| &**it).collect();
    let written = match commit(ctx, &closings).await {
        Ok(Written::All) => Some(Written::All),
        // Nobody else's closing can be the cause.
        Ok(other) if all.len() == 1 => Some(other),
        Ok(_) | Err(_) => None,
    };
    all.iter().map(|_| written).collect()
}

/// Writes closings in one transaction and rings the jobs that follow.
async fn commit(ctx: &Context, closings: &[&Closing]) -> Result<Written, StoreError> {
    let mut followers = Vec::new();
    let tx = ctx.store.begin().await?;
    let written = write::write(&tx, closings, &mut followers, ctx.clock.now()).await?;
    if written == Written::All {
        reach(Point::ClosingWritten).await;
        tx.commit().await.map_err(StoreError::from)?;
        reach(Point::ClosingCommitted).await;
        shared::queue::ring(&*ctx.broker, &followers).await;
    }
    Ok(written)
}

/// The same run without its effects, to be repeated.
fn instead(ctx: &Context, closing: &Closing, class: &str, why: &str) -> Closing {
    let now = ctx.clock.now();
    Closing {
        job: closing.job.clone(),
        ending: verdict::retry(ctx, &closing.job, class, None, why.to_owned(), now),
        attempt: closing.attempt.clone().map(|mut attempt| {
            "retry".clone_into(&mut attempt.outcome);
            attempt.class = Some(class.to_owned());
            attempt.message = Some(why.to_owned());
            attempt
        }),
        effects: Effects::default(),
        circuits: Vec::new(),
    }
}

fn lost(closing: &Closing) {
    warn!(
        job = %closing.job.id,
        kind = closing.job.kind,
        token = closing.job.lease.token,
        "the lease was lost; what this run wanted to write is dropped, another run has the job"
    );
}
