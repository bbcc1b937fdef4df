//! What every write has in common: who, when, under which knobs, and what became of it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Actor, Fields};
use crate::knobs::Knobs;

/// The circumstances of a write or a read.
#[derive(Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) knobs: &'a Knobs,
    pub(crate) now: DateTime<Utc>,
}

/// How the values of a write are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Raw: sys_ids, choice values, times in UTC.
    Raw,
    /// As displayed: names, labels, times in the user's zone (`sysparm_input_display_value`).
    Display,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
}

/// A committed change, for whoever tells others about it (business rules that call out).
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) operation: Operation,
    /// The row's class.
    pub(crate) table: String,
    pub(crate) sys_id: String,
    /// The row after the change; before it when it was deleted.
    pub(crate) fields: Fields,
    /// Columns whose values changed, journals included.
    pub(crate) columns: Vec<String>,
    pub(crate) at: DateTime<Utc>,
}
