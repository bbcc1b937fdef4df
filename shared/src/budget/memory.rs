//! The ledger of a bridge that is one process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Ledger, State, Step, Taken};

/// [`Ledger`] in this process.
#[derive(Debug, Default)]
pub struct MemoryLedger(Mutex<BTreeMap<String, State>>);

#[async_trait]
impl Ledger for MemoryLedger {
    async fn step(&self, connection: &str, step: Step) -> Taken {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(connection.to_owned()).or_default();
        let answers = state.step(&step);
        Taken {
            answers,
            state: state.clone(),
        }
    }
}
