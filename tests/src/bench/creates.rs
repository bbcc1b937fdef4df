//! The main measurement: from the first intake call to the last committed ticket.

use std::time::Instant;

use anyhow::ensure;

use super::bridge::{Bridge, ByKind};

/// What was measured.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    /// Processor seconds for a thousand creates, by kind of process.
    pub(super) processors: ByKind<f64>,
    /// Most memory that one process held, in KiB, by kind of process.
    pub(super) memory: ByKind<u64>,
}

impl Measured {
    /// Processor seconds for a thousand creates, of one kind of process.
    pub(super) fn processor(&self, name: &str) -> f64 {
        let of_kind = self.processors.iter().filter(|(known, _)| *known == name);
        of_kind.map(|(_, seconds)| seconds).sum()
    }

    /// The same of all of them, without what asks for the requests.
    pub(super) fn all_processors(&self) -> f64 {
        let ours = self
            .processors
            .iter()
            .filter(|(name, _)| *name != "producer");
        ours.map(|(_, seconds)| seconds).sum()
    }
}

/// Takes `requests` in and waits for their tickets.
pub(super) async fn measure(
    bridge: &Bridge,
    requests: usize,
    concurrency: usize,
) -> anyhow::Result<Measured> {
    let there = bridge.tickets().await?;
    // The first creates learn how the table treats ids; they are not counted.
    bridge.take_in(0..concurrency).await?;
    bridge.until_created(concurrency).await?;
    let before = bridge.processors().await?;
    let started = Instant::now();
    bridge.take_in(concurrency..concurrency + requests).await?;
    bridge.until_created(requests).await?;
    let took = started.elapsed();
    let after = bridge.processors().await?;
    let made = bridge.tickets().await? - there;
    ensure!(
        made == concurrency + requests,
        "{made} tickets of {}",
        concurrency + requests
    );
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let requests = requests as f64;
    let used = before
        .iter()
        .zip(after)
        .map(|((name, before), (_, after))| {
            let seconds = after.saturating_sub(*before).as_secs_f64();
            (*name, seconds * 1_000.0 / requests)
        });
    Ok(Measured {
        per_second: requests / took.as_secs_f64(),
        processors: used.collect(),
        memory: bridge.memory()?,
    })
}
