//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use shared::clock::Clock;

/// 2026-03-02 09:00:00 UTC, a Monday: where every manual clock starts.
const START_MICROS: i64 = 1_772_442_000_000_000;

/// A clock for tests. Starts at 2026-03-02 09:00:00 UTC.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
    began: Instant,
    /// How far it was moved on since it began; setting it counts for nothing here.
    advanced: AtomicU64,
}

impl ManualClock {
    /// Sets the clock.
    pub fn set(&self, moment: DateTime<Utc>) {
        self.micros
            .store(moment.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves the clock on and tells the new time.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        let by = i64::try_from(by.as_micros()).expect("a test does not wait for ages");
        self.advanced.fetch_add(by.unsigned_abs(), Ordering::SeqCst);
        moment(self.micros.fetch_add(by, Ordering::SeqCst) + by)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(START_MICROS),
            began: Instant::now(),
            advanced: AtomicU64::new(0),
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        moment(self.micros.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        self.began + Duration::from_micros(self.advanced.load(Ordering::SeqCst))
    }
}

fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("tests stay within the calendar")
}
