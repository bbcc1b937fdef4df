//! A process that stands still for longer than its lease and then goes on, not knowing that others have its work (N21).

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::clock::{Clock as _, SystemClock};
use shared::store::processes;
use tokio::time::{interval, sleep, timeout};

use super::installation::Installation;
use super::member::Member;

/// How long a thawed worker may take until it is known under its new name.
const PATIENCE: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_millis(50);

/// Freezes a worker beyond its lease. Gives what it wrote to ServiceNow after it went on and before it was known to the others
/// again: in that time it holds no lease, so each of these calls broke the promise.
pub(super) async fn worker(it: &Installation, worker: &Member, length: Duration) -> Vec<String> {
    let Some(id) = worker.id() else {
        return Vec::new();
    };
    worker.signal("STOP");
    sleep(length).await;
    let thawed = SystemClock.now();
    worker.signal("CONT");
    let known = timeout(PATIENCE, known_again(it, id, thawed)).await;
    let until = known.unwrap_or_else(|_| SystemClock.now());
    let writes = worker.lines.servicenow.writes_between(thawed, until);
    writes
        .into_iter()
        .filter(|line| line.contains(" /api/"))
        .map(|line| format!("{}: {line}", worker.name))
        .collect()
}

/// Freezes a scheduler; there is nothing that only it may write.
pub(super) async fn scheduler(scheduler: &Member, length: Duration) {
    scheduler.signal("STOP");
    sleep(length).await;
    scheduler.signal("CONT");
}

/// When the process of this number began anew.
async fn known_again(it: &Installation, id: u32, after: DateTime<Utc>) -> DateTime<Utc> {
    let part = format!("-worker-{id}-");
    let mut beat = interval(BEAT);
    loop {
        beat.tick().await;
        let alive = processes::alive(it.store.conn(), SystemClock.now()).await;
        let found = alive.ok().and_then(|alive| {
            let mut names = alive.into_iter().map(|it| it.process);
            names.find(|it| it.id.contains(&part) && it.started_at >= after)
        });
        if let Some(process) = found {
            return process.started_at;
        }
    }
}
