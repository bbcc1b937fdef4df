//! How a run of a job ends: one closed word, chosen where the error is known, and the effects it has earned.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::store::StoreError;

use crate::effects::Effects;

/// What becomes of a job after a run. Whoever sees an error chooses the word; nobody further up guesses from its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The job has ended well.
    #[default]
    Done,
    /// Another attempt may succeed. Uses up an attempt; `shared::retry` decides when, or that it was the last one.
    Retry {
        /// The error class as a stable word.
        class: &'static str,
        /// A wait the handler knows to be needed, such as `Retry-After`.
        after: Option<Duration>,
        /// What happened, for people.
        message: String,
    },
    /// The instance asked for quiet, or is away. Uses up no attempt; every worker obeys until then.
    Hold {
        /// What is held with the job; `None` when a circuit holds it already.
        scope: Option<Scope>,
        /// When the instance may be called again.
        until: DateTime<Utc>,
        /// The error class as a stable word.
        class: &'static str,
        /// What happened, for people.
        message: String,
    },
    /// Somebody has to mend a configuration. Uses up no attempt.
    Park {
        /// What is held with the job; `None` when only this job is concerned.
        scope: Option<Scope>,
        /// The error class as a stable word.
        class: &'static str,
        /// What is wrong and what to do, for people.
        reason: String,
    },
    /// No further attempt can succeed.
    Dead {
        /// The error class as a stable word.
        class: &'static str,
        /// What is wrong and what to do, for people.
        reason: String,
    },
}

/// How far a fault of the configuration reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every call of the connection fails: credentials, base URL.
    Connection,
    /// Only calls about this table fail: missing, or no access.
    Table(String),
}

impl Scope {
    /// The name under which the store keeps the circuit: `main`, or `main/incident` for one table of it.
    pub(crate) fn circuit(&self, connection: &str) -> String {
        match self {
            Self::Connection => connection.to_owned(),
            Self::Table(table) => format!("{connection}/{table}"),
        }
    }
}

/// The end of a run: the word, and what is written with it.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// The word.
    pub(crate) outcome: Outcome,
    /// What is written in the same transaction, whatever the word.
    pub(crate) effects: Effects,
}

/// What a handler returns: `Err` ends the run early, it is no failure of the machinery. Boxed, because it travels through `?`.
pub(crate) type Ran<T = Finished> = Result<T, Box<Finished>>;

impl Finished {
    /// Ended well, with these effects.
    pub(crate) fn done(effects: Effects) -> Self {
        Self {
            outcome: Outcome::Done,
            effects,
        }
    }
}

impl Outcome {
    /// A retry without a wait of its own.
    pub(crate) fn retry(class: &'static str, message: impl Into<String>) -> Self {
        Self::Retry {
            class,
            after: None,
            message: message.into(),
        }
    }

    /// The end of a job that no attempt can save.
    pub(crate) fn dead(class: &'static str, reason: impl Into<String>) -> Self {
        Self::Dead {
            class,
            reason: reason.into(),
        }
    }

    /// With effects that are written all the same.
    pub(crate) fn with(self, effects: Effects) -> Box<Finished> {
        Box::new(Finished {
            outcome: self,
            effects,
        })
    }

    /// The error class, unless it ended well.
    pub(crate) fn class(&self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::Retry { class, .. }
            | Self::Hold { class, .. }
            | Self::Park { class, .. }
            | Self::Dead { class, .. } => Some(class),
        }
    }

    /// What happened, unless it ended well.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Retry { message, .. } | Self::Hold { message, .. } => Some(message),
            Self::Park { reason, .. } | Self::Dead { reason, .. } => Some(reason),
        }
    }
}

impl From<Outcome> for Box<Finished> {
    fn from(outcome: Outcome) -> Self {
        outcome.with(Effects::default())
    }
}

impl From<StoreError> for Box<Finished> {
    fn from(error: StoreError) -> Self {
        Outcome::retry("database", error.to_string()).into()
    }
}
