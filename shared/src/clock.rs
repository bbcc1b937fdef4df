//! The one place that reads the machine's clocks.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SubsecRound, Utc};

/// Where the time comes from. Passed in everywhere, so that tests can set it.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, UTC, cut to microseconds (the resolution both databases keep).
    fn now(&self) -> DateTime<Utc>;

    /// The same moment by a clock that nobody sets back, for what must not be cut short or stretched by whoever sets the other.
    fn monotonic(&self) -> Instant;
}

/// A clock that is shared by the parts of one process.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the others are handed"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
