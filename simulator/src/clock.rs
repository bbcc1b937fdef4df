//! The instance's clock: the machine's time plus an offset, or a time that only moves when told to.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, TimeZone, Utc};
use tokio::sync::watch;

/// Time as the simulated instance sees it. Cheap to clone; all clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Base,
    offset: Arc<watch::Sender<TimeDelta>>,
}

#[derive(Clone, Copy, Debug)]
enum Base {
    System,
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The machine's time; [`Clock::advance`] jumps ahead of it.
    pub fn system() -> Self {
        Self::with(Base::System)
    }

    /// A clock that stands at `start` until it is advanced.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::with(Base::Fixed(start))
    }

    /// The manual clock most tests want: it stands at 2026-11-22 10:00:00 UTC.
    pub fn manual_default() -> Self {
        let start = Utc.with_ymd_and_hms(2026, 11, 22, 10, 0, 0).single();
        Self::manual(start.unwrap_or_default())
    }

    fn with(base: Base) -> Self {
        Self {
            base,
            offset: Arc::new(watch::Sender::new(TimeDelta::zero())),
        }
    }

    /// The present instant.
    pub fn now(&self) -> DateTime<Utc> {
        let base = match self.base {
            Base::System => system_now(),
            Base::Fixed(start) => start,
        };
        base + *self.offset.borrow()
    }

    /// The present instant cut to whole seconds, as rows store it.
    pub fn now_s(&self) -> DateTime<Utc> {
        self.now().trunc_subsecs(0)
    }

    /// Moves the clock ahead and wakes every call that waits for it.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.offset.send_modify(|offset| {
            *offset = offset.checked_add(&by).unwrap_or(*offset);
        });
    }

    /// Waits until `span` has passed on this clock. On a manual clock only `advance` ends it.
    pub async fn sleep(&self, span: Duration) {
        let until = self.now() + TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
        let mut moved = self.offset.subscribe();
        while let Ok(left) = (until - self.now()).to_std() {
            if left.is_zero() {
                return;
            }
            match self.base {
                // The sender lives as long as this clock, so the error case cannot come up.
                Base::Fixed(_) => drop(moved.changed().await),
                Base::System => {
                    tokio::select! {
                        () = tokio::time::sleep(left) => {}
                        _ = moved.changed() => {}
                    }
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's only reading of the machine's time; all else asks a Clock"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual_default();
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.clone().advance(Duration::from_secs(90));
        assert_eq!(clock.now() - before, TimeDelta::seconds(90));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_passes_its_time() {
        let clock = Clock::manual_default();
        let sleeper = clock.clone();
        let mut sleep = std::pin::pin!(sleeper.sleep(Duration::from_mins(1)));
        assert!(futures::poll!(sleep.as_mut()).is_pending());
        clock.advance(Duration::from_secs(59));
        assert!(futures::poll!(sleep.as_mut()).is_pending());
        clock.advance(Duration::from_secs(1));
        sleep.await;
    }
}
