//! The lease of this process: whom its claims belong to, and how much of it is left by a clock that nobody can set back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use shared::clock::SharedClock;

/// Watches the lease of the process (ARCHITECTURE.md, invariant 4).
///
/// A job is run elsewhere once the process that claimed it has been silent for the length of a lease. So nothing may be written
/// to a remote system when the lease could run out before the answer is in.
pub struct LeaseWatch {
    identity: String,
    length: Duration,
    clock: SharedClock,
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
    pub fn new(identity: &str, length: Duration, clock: &SharedClock) -> Self {
        Self {
            identity: identity.to_owned(),
            length,
            clock: Arc::clone(clock),
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
            let passed = self.clock.monotonic().saturating_duration_since(sent);
            self.length.saturating_sub(passed)
        })
    }

    /// Whether at least `margin` is left of the lease under which `owner` claimed. Of one that was lost nothing is left, although
    /// the process lives again under another name.
    pub fn enough_left(&self, owner: &str, margin: Duration) -> bool {
        self.owner() == owner && self.left() >= margin
    }

    /// Drives `call` as long as the lease is held under which `owner` claimed; `None` when it was lost before the end.
    pub async fn while_held<T>(&self, owner: &str, call: impl Future<Output = T>) -> Option<T> {
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|cx| {
            if self.owner() != owner || self.left().is_zero() {
                return Poll::Ready(None);
            }
            call.as_mut().poll(cx).map(Some)
        })
        .await
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change is an assignment or an addition; a panic elsewhere leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use shared::clock::Clock;

    use super::*;

    const MARGIN: Duration = Duration::from_secs(3);

    /// The clock of the paused runtime.
    struct Paused;

    impl Clock for Paused {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Instant {
            tokio::time::Instant::now().into_std()
        }
    }

    fn watch() -> LeaseWatch {
        let clock: SharedClock = Arc::new(Paused);
        LeaseWatch::new("worker", Duration::from_secs(8), &clock)
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_runs_from_the_moment_the_heartbeat_was_sent() {
        let watch = watch();
        assert!(
            !watch.enough_left("worker", MARGIN),
            "nothing was acknowledged yet"
        );
        let sent = Paused.monotonic();
        tokio::time::advance(Duration::from_secs(2)).await;
        watch.acknowledged(sent);
        assert_eq!(watch.left(), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(watch.enough_left("worker", MARGIN));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!watch.enough_left("worker", MARGIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_driven_only_while_the_lease_is_held() {
        let watch = watch();
        let held = async |owner: &'static str| watch.while_held(owner, async { 1 }).await;
        assert_eq!(held("worker").await, None, "no lease yet");
        watch.acknowledged(Paused.monotonic());
        assert_eq!(held("worker").await, Some(1));
        watch.lost();
        watch.acknowledged(Paused.monotonic());
        assert_eq!(held("worker").await, None, "it lives under another name");
        assert_eq!(held("worker.1").await, Some(1));
        let slow = async { tokio::time::sleep(Duration::from_secs(20)).await };
        assert_eq!(watch.while_held("worker.1", slow).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_lost_lease_the_owner_is_another() {
        let watch = watch();
        watch.acknowledged(Paused.monotonic());
        assert_eq!(watch.owner(), "worker");
        watch.lost();
        assert_eq!(watch.left(), Duration::ZERO);
        assert_eq!(watch.owner(), "worker.1");
        watch.acknowledged(Paused.monotonic());
        assert!(watch.enough_left("worker.1", MARGIN));
        assert!(
            !watch.enough_left("worker", MARGIN),
            "what was claimed before stays lost"
        );
        watch.lost();
        assert_eq!(watch.owner(), "worker.2");
    }
}
