//! Seals the audit trail, block by block.

use shared::store::audit;

use crate::Scheduler;

/// Blocks of one tick: then others get their turn.
const BLOCKS: usize = 50;

/// Seals what has settled; how many entries.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<u64> {
    let mut sealed = 0;
    for _ in 0..BLOCKS {
        match audit::seal(&scheduler.store, scheduler.now()).await? {
            0 => break,
            entries => sealed += entries,
        }
    }
    Ok(sealed)
}
