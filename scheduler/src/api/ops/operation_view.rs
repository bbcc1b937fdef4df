//! What is done with many jobs, as operators see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use shared::store::jobs::JobAction;
use shared::store::operations::Operation;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that is done with many jobs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Operation)]
pub(crate) struct OperationView {
    pub(crate) id: Uuid,
    /// `retry`, `run_now`, `cancel` or `kill`.
    #[schema(value_type = String, example = "retry")]
    pub(crate) action: JobAction,
    /// With which jobs, when they are not named one by one.
    #[schema(value_type = Object)]
    pub(crate) filter: Value,
    /// How many jobs were named one by one.
    pub(crate) named: usize,
    /// So many a minute at most.
    pub(crate) per_minute: Option<u32>,
    /// Whether it waits while a circuit holds the next jobs.
    pub(crate) waits_for_circuit: bool,
    /// Why.
    pub(crate) reason: Option<String>,
    /// Who pressed it.
    pub(crate) operator: String,
    /// How many jobs there were when it was pressed.
    pub(crate) matched: u64,
    /// With how many it was done.
    pub(crate) done: u64,
    /// With how many it could not be done: they had changed, or something stood against it.
    pub(crate) skipped: u64,
    /// Why the last of those was left out.
    pub(crate) last_skipped: Option<String>,
    /// `running`, `waiting`, `stopped` or `done`.
    pub(crate) state: &'static str,
    /// What it waits for, other than its rate.
    pub(crate) waits_for: Option<String>,
    /// When it goes on.
    pub(crate) next_at: Option<DateTime<Utc>>,
    /// When it was pressed.
    pub(crate) created_at: DateTime<Utc>,
    /// When it ended.
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl From<Operation> for OperationView {
    fn from(it: Operation) -> Self {
        let state = match (&it.finished_at, &it.stopped_at, &it.waits_for) {
            (Some(_), Some(_), _) => "stopped",
            (Some(_), None, _) => "done",
            (None, _, Some(_)) => "waiting",
            (None, _, None) => "running",
        };
        Self {
            id: it.id,
            action: it.action,
            filter: json!(it.filter),
            named: it.ids.len(),
            per_minute: it.per_minute,
            waits_for_circuit: it.waits_for_circuit,
            reason: it.reason,
            operator: it.operator,
            matched: it.matched,
            done: it.done,
            skipped: it.skipped,
            last_skipped: it.last_skipped,
            state,
            waits_for: it.waits_for,
            next_at: it.finished_at.is_none().then_some(it.next_at),
            created_at: it.created_at,
            finished_at: it.finished_at,
        }
    }
}
