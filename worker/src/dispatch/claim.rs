//! Claims: one statement for all that are asked for at the same time.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use shared::job::Claimed;
use shared::store::circuits::{self, Circuit};
use shared::store::{StoreError, jobs};
use shared::telemetry::names;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::context::Context;
use crate::gather::Gather;

/// The claims of a process, gathered.
pub(crate) type Claims = Gather<Uuid, Option<Work>>;

/// A claimed job, and the circuits as they stood right after the claim.
pub(crate) struct Work {
    pub(crate) job: Claimed,
    pub(crate) circuits: Arc<Vec<Circuit>>,
}

/// Claims a job. `None` when it is not due, when somebody else has it, or when the database cannot be reached: it is rung again.
pub(super) async fn claim(ctx: &Context, id: Uuid) -> Option<Work> {
    let claimed = ctx.claims.submit(id, |ids| batch(ctx, ids)).await.flatten();
    if claimed.is_none() {
        metrics::counter!(names::CLAIMS_LOST_TOTAL).increment(1);
        debug!(job = %id, "nothing to claim");
    }
    claimed
}

/// A claim whose answer did not come: it may have taken the jobs all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubtful {
    ids: Vec<Uuid>,
    owner: String,
    claimed_at: DateTime<Utc>,
}

/// How long a statement that was cut off may still be under way at the database.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(1);

/// Makes the jobs due again that a claim without an answer has taken, also when it arrives late.
pub(crate) async fn release_doubtful(ctx: &Context) -> Result<(), StoreError> {
    let all = doubtful(ctx).clone();
    for it in &all {
        jobs::unclaim(ctx.store.conn(), &it.ids, &it.owner, it.claimed_at).await?;
    }
    let now = ctx.clock.now();
    let settled = |it: &Doubtful| now - it.claimed_at > UNDER_WAY && all.contains(it);
    doubtful(ctx).retain(|it| !settled(it));
    Ok(())
}

fn doubtful(ctx: &Context) -> MutexGuard<'_, Vec<Doubtful>> {
    // Only pushes and takes happen under the lock.
    ctx.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn batch(ctx: &Context, ids: Vec<Uuid>) -> Vec<Option<Work>> {
    let (owner, now) = (ctx.lease.owner(), ctx.clock.now());
    let mut claimed = match try_batch(ctx, &ids, &owner, now).await {
        Ok(claimed) => claimed,
        Err(error) => {
            warn!(%error, jobs = ids.len(), "jobs could not be claimed; they are rung again");
            doubtful(ctx).push(Doubtful {
                ids: ids.clone(),
                owner,
                claimed_at: now,
            });
            HashMap::new()
        }
    };
    ids.iter().map(|id| claimed.remove(id)).collect()
}

async fn try_batch(
    ctx: &Context,
    ids: &[Uuid],
    owner: &str,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Work>, StoreError> {
    let conn = ctx.store.conn();
    // Both at once: a claim that is committed although the circuits could not be read is as doubtful as one without an answer.
    let (circuits, claimed) =
        tokio::try_join!(circuits::all(conn), jobs::claim(conn, ids, owner, now))?;
    let circuits = Arc::new(circuits);
    let work = |job: Claimed| {
        let circuits = Arc::clone(&circuits);
        (job.id, Work { job, circuits })
    };
    Ok(claimed.into_iter().map(work).collect())
}
