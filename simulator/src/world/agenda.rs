//! What the instance does by itself later.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Act, World};

/// Work of the instance's scheduler.
pub(crate) type Later = Box<dyn FnOnce(&mut World, &Act<'_>) + Send>;

/// Planned work.
pub(crate) struct Due {
    at: DateTime<Utc>,
    work: Later,
}

impl World {
    /// Lets the instance do `work` after `delay_ms`.
    pub(crate) fn later(&mut self, act: &Act<'_>, delay_ms: u64, work: Later) {
        let delay = TimeDelta::milliseconds(i64::try_from(delay_ms).unwrap_or(i64::MAX));
        self.agenda.push(Due {
            at: act.now + delay,
            work,
        });
    }

    /// Does what has become due by the act's time, in order of time.
    pub(crate) fn run_due(&mut self, act: &Act<'_>) {
        while let Some(index) = self.next_due(act.now) {
            let due = self.agenda.remove(index);
            (due.work)(
                self,
                &Act {
                    now: due.at,
                    ..*act
                },
            );
        }
    }

    /// Drops all planned work.
    pub(crate) fn forget_agenda(&mut self) {
        self.agenda.clear();
    }

    fn next_due(&self, now: DateTime<Utc>) -> Option<usize> {
        let due = self
            .agenda
            .iter()
            .enumerate()
            .filter(|(_, due)| due.at <= now);
        due.min_by_key(|(index, due)| (due.at, *index))
            .map(|(index, _)| index)
    }
}
