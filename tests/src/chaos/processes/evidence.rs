//! What is known of the requests that differ: their jobs, runs and history, and what the processes said about them.

use shared::store::{attempts, audit, jobs};
use uuid::Uuid;

use super::comparison::{Difference, Found};
use super::faults::Log;
use super::installation::Installation;
use crate::terminal;

/// So many requests are shown in full.
const SHOWN: usize = 4;

/// Shows what the bridge wants a human to look at. Faults that have passed should leave no such wish.
pub(super) fn show_flags(found: &Found) {
    for (id, attention) in &found.flags {
        terminal::say(&format!("flagged: {id} {attention}"));
    }
}

/// Shows every difference in a line, and the first in full.
pub(super) async fn show(it: &Installation, log: &Log, found: &Found) -> anyhow::Result<()> {
    for write in &log.zombie_writes {
        terminal::say(&format!("zombie write: {write}"));
    }
    for stop in &log.unclean_stops {
        terminal::say(&format!("unclean stop: {stop}"));
    }
    for Difference { kind, id, what } in &found.differences {
        terminal::say(&format!("{kind:?} {id} {what}"));
    }
    for difference in found.differences.iter().take(SHOWN) {
        if let Ok(id) = Uuid::parse_str(&difference.id) {
            request(it, id).await?;
        }
    }
    Ok(())
}

async fn request(it: &Installation, id: Uuid) -> anyhow::Result<()> {
    let conn = it.store.conn();
    terminal::say(&format!("----- {id}"));
    for job in jobs::of_request(conn, id).await? {
        terminal::say(&serde_json::to_string(&job)?);
    }
    for attempt in attempts::of_request(conn, id).await? {
        terminal::say(&serde_json::to_string(&attempt)?);
    }
    for entry in audit::of_request(conn, id).await? {
        terminal::say(&format!("{entry:?}"));
    }
    for member in &it.members {
        for line in member.lines_about(&id.to_string()) {
            terminal::say(&format!("{}: {line}", member.name));
        }
    }
    Ok(())
}
