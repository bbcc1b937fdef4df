//! A job as operators see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::job::JobState;
use shared::operator::Role;
use shared::store::jobs::{Job, JobAction};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::request_detail::AttemptView;

/// One unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OperatorJob)]
pub(crate) struct OpsJobView {
    pub(crate) id: Uuid,
    /// What it does.
    #[schema(example = "create_ticket.v1")]
    pub(crate) kind: String,
    /// Where its doorbells go.
    #[schema(example = "create-ticket@main")]
    pub(crate) lane: String,
    /// The instance it calls.
    pub(crate) connection: Option<String>,
    /// The request it is about.
    pub(crate) request_id: Option<Uuid>,
    /// `due`, `rung`, `running`, `done`, `parked`, `dead` or `cancelled`.
    #[schema(value_type = String, example = "dead")]
    pub(crate) state: JobState,
    /// Smaller runs first.
    pub(crate) priority: i16,
    /// Attempts used up.
    pub(crate) attempts: i32,
    /// How often a worker has claimed it.
    pub(crate) claims: i64,
    /// How many workers in a row died while they held it.
    pub(crate) worker_deaths: i32,
    /// Not run before.
    pub(crate) due_at: DateTime<Utc>,
    /// When its doorbell was last rung.
    pub(crate) rung_at: Option<DateTime<Utc>>,
    /// When its first run began.
    pub(crate) first_started_at: Option<DateTime<Utc>>,
    /// When it was stored.
    pub(crate) created_at: DateTime<Utc>,
    /// When it last changed.
    pub(crate) updated_at: DateTime<Utc>,
    /// When it ended.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// The worker that holds it, or held it last.
    pub(crate) worker: Option<String>,
    /// Keeps a second job for the same work out.
    pub(crate) dedup_key: Option<String>,
    /// Whether it was asked for again while it ran, and so runs once more.
    pub(crate) runs_again: bool,
    /// Class of its last error.
    pub(crate) error_class: Option<String>,
    /// Its last error, in words.
    pub(crate) error: Option<String>,
    /// Its payload, which holds ids only; not shown to viewers.
    pub(crate) payload: Option<Value>,
    /// The trace it is part of.
    pub(crate) traceparent: Option<String>,
    /// What can be done with it in its state.
    #[schema(value_type = Vec<String>, example = json!(["retry"]))]
    pub(crate) actions: Vec<JobAction>,
}

/// A job with its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OperatorJobDetail)]
pub(crate) struct OpsJobDetail {
    #[serde(flatten)]
    pub(crate) job: OpsJobView,
    /// Every run, oldest first.
    pub(crate) runs: Vec<AttemptView>,
}

impl OpsJobView {
    pub(crate) fn of(job: Job, role: Role) -> Self {
        let actions = JobAction::ALL
            .into_iter()
            .filter(|action| action.states().contains(&job.state))
            .collect();
        Self {
            id: job.id,
            kind: job.kind,
            lane: job.lane,
            connection: job.connection,
            request_id: job.request_id,
            state: job.state,
            priority: job.priority,
            attempts: job.attempts,
            claims: job.lease_token,
            worker_deaths: job.worker_deaths,
            due_at: job.due_at,
            rung_at: job.rung_at,
            first_started_at: job.first_started_at,
            created_at: job.created_at,
            updated_at: job.updated_at,
            finished_at: job.finished_at,
            worker: job.lease_owner,
            dedup_key: job.dedup_key,
            runs_again: job.again,
            error_class: job.last_error_class,
            error: job.last_error,
            payload: (role > Role::Viewer).then_some(job.payload),
            traceparent: job.traceparent,
            actions,
        }
    }
}
