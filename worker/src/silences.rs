//! Tells once, in the log, that a connection is not called for a while, and once that it is called again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use shared::budget::Standing;
use tracing::{info, warn};

/// Until when each connection is silent, as was told last.
#[derive(Debug, Default)]
pub(crate) struct Silences(Mutex<BTreeMap<String, DateTime<Utc>>>);

impl Silences {
    /// Tells what is new.
    pub(crate) fn tell(&self, standings: &[Standing]) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for it in standings {
            let connection = &it.connection;
            match &it.throttled {
                Some(silence) => {
                    let before = told.insert(connection.clone(), silence.until);
                    if before != Some(silence.until) {
                        let (until, reason) = (silence.until, &silence.reason);
                        warn!(connection, %until, reason, "the connection is not called until then");
                    }
                }
                None if told.remove(connection).is_some() => {
                    info!(connection, "the connection is called again");
                }
                None => {}
            }
        }
    }
}
