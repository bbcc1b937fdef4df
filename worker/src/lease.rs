//! The lease of this process: whom its claims belong to, and how much of it is left by a clock that nobody can set back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Watches the lease of the process (ARCHITECTURE.md, invariant 4).
///
/// A job is run elsewhere once the process that claimed it has been silent for the length of a lease. So nothing may be written
/// to a remote system when the lease could run out before the answer is in.
#[derive(Debug)]
pub struct LeaseWatch {
    identity: String,
    length: Duration,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// How often a lease was lost since the process started.
    lost: u32,
    /// When the last acknowledged heart-beat was sent, not when its answer came.
    sent: Option<Instant>,
}

impl LeaseWatch {
    /// A watch over leases of this length. Nothing is left until the first heart-beat was acknowledged.
    pub fn new(identity: &str, length: Duration) -> Self {
        Self {
            identity: identity.to_owned(),
            length,
            held: Mutex::default(),
        }
    }

    /// The length of a lease.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Whom claims belong to: the identity of the process, and after a lost lease another one, which nobody has given up yet.
    pub fn owner(&self) -> String {
        match self.held().lost {
            0 => self.identity.clone(),
            lost => format!("{}.{lost}", self.identity),
        }
    }

    /// The store has acknowledged a heart-beat that was sent at `sent`.
    pub fn acknowledged(&self, sent: Instant) {
        self.held().sent = Some(sent);
    }

    /// The store has given the jobs of this process away: nothing is left, and the owner has another name from now on.
    pub fn lost(&self) {
        let mut held = self.held();
        held.sent = None;
        held.lost += 1;
    }

    /// What is left of the lease.
    pub fn left(&self) -> Duration {
        let sent = self.held().sent;
        sent.map_or(Duration::ZERO, |sent| {
            self.length.saturating_sub(sent.elapsed())
        })
    }

    /// Whether at least `margin` is left.
    pub fn enough_left(&self, margin: Duration) -> bool {
        self.left() >= margin
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change is an assignment or an addition; a panic elsewhere leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn the_lease_runs_from_the_moment_the_heartbeat_was_sent() {
        let watch = LeaseWatch::new("worker", Duration::from_secs(8));
        assert!(!watch.enough_left(MARGIN), "nothing was acknowledged yet");
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(2)).await;
        watch.acknowledged(sent);
        assert_eq!(watch.left(), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(watch.enough_left(MARGIN));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!watch.enough_left(MARGIN));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_lost_lease_the_owner_is_another() {
        let watch = LeaseWatch::new("worker", Duration::from_secs(8));
        watch.acknowledged(Instant::now());
        assert_eq!(watch.owner(), "worker");
        watch.lost();
        assert_eq!(watch.left(), Duration::ZERO);
        assert_eq!(watch.owner(), "worker.1");
        watch.acknowledged(Instant::now());
        assert!(watch.enough_left(MARGIN));
        watch.lost();
        assert_eq!(watch.owner(), "worker.2");
    }
}
