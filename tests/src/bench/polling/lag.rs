//! How long a change at the instance takes until it is stored.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use shared::clock::{Clock as _, SystemClock};
use shared::request::RequestState;
use shared::store::tickets;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::instance::Instance;
use crate::bench::bridge::Bridge;

const BEAT: Duration = Duration::from_millis(100);
/// After the last change, beyond the time between two polls.
const PATIENCE: Duration = Duration::from_mins(2);

/// From the answer of the instance to the moment that the closing transaction writes down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lag {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) longest: Duration,
}

/// Records that were changed, and when.
pub(super) type Changed = HashMap<String, DateTime<Utc>>;

/// Changes one of `tickets` after the other, evenly over `window`.
pub(super) async fn change(
    instance: &Instance,
    tickets: &[String],
    window: Duration,
) -> anyhow::Result<Changed> {
    let mut beat = interval(window / u32::try_from(tickets.len())?);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut changed = Changed::with_capacity(tickets.len());
    for sys_id in tickets {
        beat.tick().await;
        instance.begin(sys_id).await?;
        changed.insert(sys_id.clone(), SystemClock.now());
    }
    // The last one has its share of the window as well.
    beat.tick().await;
    Ok(changed)
}

/// Waits until all of them are stored.
pub(super) async fn measure(
    bridge: &Bridge,
    changed: &Changed,
    poll: Duration,
) -> anyhow::Result<Lag> {
    let stored = "SELECT COUNT(*) AS number FROM requests WHERE state = 'in_progress'";
    let deadline = Instant::now() + poll + PATIENCE;
    while usize::try_from(bridge.number(stored).await?)? < changed.len() {
        ensure!(Instant::now() < deadline, "changes are not stored");
        sleep(BEAT).await;
    }
    let sys_ids: Vec<String> = changed.keys().cloned().collect();
    let found = tickets::with_sys_ids(bridge.store().conn(), "main", "incident", &sys_ids).await?;
    let mut waits = Vec::with_capacity(found.len());
    for (ticket, request) in found {
        ensure!(
            request.state == RequestState::InProgress,
            "{} is {}",
            request.id,
            request.state
        );
        let sys_id = ticket.sys_id.context("a record")?;
        let at = changed.get(&sys_id).context("a change")?;
        // A page that was being read when the change was made may be stored at once.
        waits.push((request.updated_at - *at).to_std().unwrap_or_default());
    }
    ensure!(waits.len() == changed.len(), "a ticket is not known");
    waits.sort_unstable();
    let at = |hundredth: usize| waits[(waits.len() * hundredth / 100).min(waits.len() - 1)];
    Ok(Lag {
        p50: at(50),
        p99: at(99),
        longest: at(100),
    })
}
