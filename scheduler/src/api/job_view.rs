//! A job as the source of its request sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::job::JobState;
use shared::store::jobs::Job;
use utoipa::ToSchema;
use uuid::Uuid;

/// One unit of work for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Job, example = json!({
    "id": "019cadc6-9a80-7e43-be06-b70e01ae4140",
    "request_id": "019cadc6-9a80-7e43-be06-b70e01ae413f",
    "kind": "create_ticket.v1",
    "state": "running",
    "ended": false,
    "attempts": 0,
    "due_at": "2030-03-01T09:00:00Z",
    "created_at": "2030-03-01T09:00:00Z",
    "finished_at": null,
    "holder": {"worker": "host-1-worker-12-9f3c01aa", "since": "2030-03-01T09:00:01Z"},
    "runs_again": false,
    "error_class": null,
    "error": null
}))]
pub(crate) struct JobView {
    id: Uuid,
    /// The request it is about.
    request_id: Option<Uuid>,
    /// What it does.
    #[schema(example = "create_ticket.v1")]
    kind: String,
    /// `due`, `rung`, `running`, `done`, `parked`, `dead` or `cancelled`.
    #[schema(value_type = String, example = "running")]
    state: JobState,
    /// Whether it is in a state that it never leaves by itself.
    ended: bool,
    /// Attempts used up.
    attempts: i32,
    /// Not run before.
    due_at: DateTime<Utc>,
    /// When it was stored.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Who runs it now.
    holder: Option<HolderView>,
    /// Whether it was asked for again while it ran, and so runs once more when it ends.
    runs_again: bool,
    /// Class of its last error.
    error_class: Option<String>,
    /// Its last error, in words.
    error: Option<String>,
}

/// Who runs a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobHolder)]
pub(crate) struct HolderView {
    /// Unique name of the worker process. When it dies, another takes the job within seconds.
    worker: String,
    /// Since when.
    since: DateTime<Utc>,
}

impl JobView {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let runs = job.state == JobState::Running;
        let since = job.updated_at;
        let holder = job.lease_owner.filter(|_| runs);
        Self {
            id: job.id,
            request_id: job.request_id,
            kind: job.kind,
            ended: job.state.is_final(),
            state: job.state,
            attempts: job.attempts,
            due_at: job.due_at,
            created_at: job.created_at,
            finished_at: job.finished_at,
            holder: holder.map(|worker| HolderView { worker, since }),
            runs_again: job.again,
            error_class: job.last_error_class,
            error: job.last_error,
        }
    }
}
