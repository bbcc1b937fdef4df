//! The ledger of a bridge of many processes: one key a connection, one script a step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use serde::de::DeserializeOwned;
use serde_json::json;
use tracing::{info, warn};

use super::{Ledger, State, Step, Taken};
use crate::queue::{BrokerError, Line, RedisOptions};

/// A state that nobody asks for lasts a little longer than the longest window.
const LIFE: Duration = Duration::from_hours(2);

/// The longest wait for an answer: a call to an instance waits for it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// [`Ledger`] over Redis. The state of a connection is the key `<prefix>:budget:{<connection>}`; it expires by itself.
///
/// When Redis is away this process goes on alone with what it knew last, and with its share of the calls: as many processes as
/// were seen last are believed to do the same. A Redis that comes back empty is taught by the first step.
pub struct RedisLedger {
    line: Line,
    prefix: String,
    script: Script,
    known: Mutex<BTreeMap<String, Known>>,
    is_alone: AtomicBool,
}

/// What was seen of a connection last.
#[derive(Default, Clone)]
struct Known {
    state: State,
    /// Processes that had a part in it.
    processes: u32,
    /// Redis was away since: `state` is this process's own.
    is_own: bool,
}

impl RedisLedger {
    /// Reads the address; connects with the first step. The only error is [`BrokerError::Address`].
    pub fn new(options: RedisOptions) -> Result<Self, BrokerError> {
        let options = RedisOptions {
            response_timeout: options.response_timeout.min(LONGEST_WAIT),
            ..options
        };
        Ok(Self {
            line: Line::new(&options)?,
            prefix: options.prefix,
            script: Script::new(include_str!("exchange.lua")),
            known: Mutex::default(),
            is_alone: AtomicBool::new(false),
        })
    }

    async fn shared_step(&self, connection: &str, step: &Step) -> Result<Taken, BrokerError> {
        let key = format!("{}:budget:{{{connection}}}", self.prefix);
        let begin = State {
            holders: BTreeMap::new(),
            ..self.known_of(connection).state
        };
        let mut call = self.script.key(key);
        call.arg(json!(step).to_string());
        call.arg(json!(begin).to_string());
        call.arg(LIFE.as_millis().to_string());
        let (state, answers): (String, Vec<String>) = self.line.script(&call).await?;
        let read = |text: &String| self.read(text);
        Ok(Taken {
            answers: answers.iter().map(read).collect::<Result<_, _>>()?,
            state: self.read(&state)?,
        })
    }

    fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, BrokerError> {
        serde_json::from_str(text).map_err(|_unreadable| self.line.unreadable())
    }

    fn remember(&self, connection: &str, state: &State) {
        let known = Known {
            processes: u32::try_from(state.holders.len()).unwrap_or(u32::MAX),
            state: state.clone(),
            is_own: false,
        };
        self.known().insert(connection.to_owned(), known);
        if self.is_alone.swap(false, Ordering::Relaxed) {
            info!("the budget of calls is shared by all workers again");
        }
    }

    /// The step in this process alone, with its share of the calls.
    fn own_step(&self, connection: &str, mut step: Step) -> Taken {
        let mut known = self.known();
        let known = known.entry(connection.to_owned()).or_default();
        let processes = known.processes.max(1);
        step.most = (step.most / processes).max(1);
        if !known.is_own {
            known.is_own = true;
            known.state.holders.clear();
            for window in known.state.windows.values_mut() {
                window.left /= i64::from(processes);
            }
        }
        let answers = known.state.step(&step);
        Taken {
            answers,
            state: known.state.clone(),
        }
    }

    fn known_of(&self, connection: &str) -> Known {
        self.known().get(connection).cloned().unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn step(&self, connection: &str, step: Step) -> Taken {
        match self.shared_step(connection, &step).await {
            Ok(taken) => {
                self.remember(connection, &taken.state);
                taken
            }
            Err(error) => {
                if !self.is_alone.swap(true, Ordering::Relaxed) {
                    warn!(%error, "each worker keeps to its share of the calls until the budget is shared again");
                }
                self.own_step(connection, step)
            }
        }
    }
}
