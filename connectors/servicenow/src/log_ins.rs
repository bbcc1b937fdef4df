//! How the log-ins of a client end: whether its credential works.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::clock::Clock;

/// What became of the log-ins of a client. Where tokens are used, fetching one is the log-in; else every call is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogIns {
    /// When the credential was last accepted.
    pub worked_at: Option<DateTime<Utc>>,
    /// When it was last refused.
    pub refused_at: Option<DateTime<Utc>>,
    /// How often it was refused since somebody asked last. Outages are no refusals.
    pub refused: u64,
}

pub(crate) struct LogInRecord {
    now: Clock,
    log_ins: Mutex<LogIns>,
}

impl LogInRecord {
    pub(crate) fn new(now: Clock) -> Self {
        Self {
            now,
            log_ins: Mutex::default(),
        }
    }

    pub(crate) fn worked(&self) {
        let now = (self.now)();
        self.change(|log_ins| log_ins.worked_at = Some(now));
    }

    pub(crate) fn refused(&self) {
        let now = (self.now)();
        self.change(|log_ins| {
            log_ins.refused_at = Some(now);
            log_ins.refused += 1;
        });
    }

    /// What is known; the count begins anew.
    pub(crate) fn take(&self) -> LogIns {
        self.change(|log_ins| {
            let taken = *log_ins;
            log_ins.refused = 0;
            taken
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut LogIns) -> T) -> T {
        change(&mut self.log_ins.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
