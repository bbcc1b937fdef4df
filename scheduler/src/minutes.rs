//! Folds what was done into figures by the minute, for the charts (`shared::store::minutes`).

use shared::store::minutes;

use crate::Scheduler;

/// Minutes that one round folds: after days without a scheduler the past is caught up with in a quarter of an hour.
const MOST: u64 = 120;

/// Counts what waits when a minute has ended, folds the minutes that have settled and removes old ones. How many it has folded.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<u64> {
    let (store, now) = (&scheduler.store, scheduler.now());
    minutes::count(store, now).await?;
    minutes::forget(store, now).await?;
    for folded in 0..MOST {
        let tx = store.begin().await?;
        if minutes::fold(&tx, now).await?.is_none() {
            return Ok(folded);
        }
        tx.commit().await?;
    }
    Ok(MOST)
}
