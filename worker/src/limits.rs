//! How many jobs of a lane run here at a time: the configured figure, or the one that an operator has set meanwhile.

use shared::config::WorkerSettings;
use shared::job::JobKind;
use shared::queue::{Lane, Slots};
use shared::store::{StoreError, lane_limits};
use tracing::info;

use crate::context::Context;

/// A lane that this process serves.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) lane: Lane,
    pub(crate) kind: JobKind,
    pub(crate) slots: Slots,
}

/// Takes up what has changed.
pub(crate) async fn tick(ctx: &Context, served: &[Served]) -> Result<(), StoreError> {
    let limits = lane_limits::all(ctx.store.conn()).await?;
    for it in served {
        let set = limits
            .iter()
            .find(|limit| limit.lane == it.lane.as_str())
            .and_then(|limit| usize::try_from(limit.jobs).ok());
        // What was stored is within the bounds of some process, not of any.
        let most = WorkerSettings::most_concurrency(it.kind);
        let jobs = set.map_or(ctx.settings.worker.concurrency(it.kind), |set| {
            set.clamp(1, most)
        });
        let before = it.slots.limit();
        if before != jobs {
            it.slots.set(jobs);
            info!(lane = %it.lane, before, jobs, "another number of jobs runs at a time from now on");
        }
    }
    Ok(())
}
