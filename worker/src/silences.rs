//! Tells once, in the log, that a connection is not called for a while, and once that it is called again; and counts the seconds.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use shared::budget::Standing;
use tracing::{info, warn};

use crate::trace;

/// The silences that were told last, by connection.
#[derive(Debug, Default)]
pub(crate) struct Silences(Mutex<BTreeMap<String, Silence>>);

#[derive(Debug, Clone, Copy)]
struct Silence {
    until: DateTime<Utc>,
    /// Up to when its seconds are counted.
    counted: DateTime<Utc>,
}

impl Silences {
    /// Tells what is new.
    pub(crate) fn tell(&self, standings: &[Standing], now: DateTime<Utc>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for it in standings {
            let connection = &it.connection;
            let before = told.remove(connection);
            let counted = before.map_or(now, |before| before.count(connection, now));
            match &it.throttled {
                Some(silence) => {
                    let (until, reason) = (silence.until, &silence.reason);
                    if before.is_none_or(|before| before.until != until) {
                        warn!(connection, %until, reason, "the connection is not called until then");
                    }
                    told.insert(connection.clone(), Silence { until, counted });
                }
                None if before.is_some() => {
                    info!(connection, "the connection is called again");
                }
                None => {}
            }
        }
    }
}

impl Silence {
    /// Counts the whole seconds that have passed of it; up to when.
    fn count(self, connection: &str, now: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = (now.min(self.until) - self.counted).num_seconds().max(0);
        trace::throttled(connection, seconds.unsigned_abs());
        self.counted + TimeDelta::seconds(seconds)
    }
}
