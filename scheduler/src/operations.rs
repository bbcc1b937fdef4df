//! Carries out what operators do with many jobs, part by part.

use shared::store::operations::{Advanced, advance};

use crate::Scheduler;

/// Parts of one tick: then others get their turn.
const PARTS: usize = 10;

/// Carries out what is to be done now; with how many jobs.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<u64> {
    let mut treated = 0;
    for _ in 0..PARTS {
        let left = |connection: Option<&str>| scheduler.calls_left(connection);
        match advance(&scheduler.store, left, scheduler.now()).await? {
            Advanced::Idle => break,
            Advanced::Part(jobs) => treated += jobs,
            Advanced::Waits => {}
        }
    }
    if treated > 0 {
        scheduler.relay_nudge.notify_one();
    }
    Ok(treated)
}
