//! The clock is a parameter, so that token expiry can be tested without waiting.

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Says what time it is. Used for token expiry, back-off and `Retry-After` dates only.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The clock of the operating system.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads the real clock"
)]
pub fn system_clock() -> Clock {
    Arc::new(Utc::now)
}
