//! A request with everything that is known of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::attempts::{Attempt, CallRecord};
use shared::store::notes::Note;
use utoipa::ToSchema;
use uuid::Uuid;

use super::request_view::RequestView;
use super::timeline::TimelineEntry;

/// A request with its timeline, the runs of its jobs and its notes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RequestDetail)]
pub(crate) struct RequestDetail {
    /// The request.
    #[serde(flatten)]
    pub(crate) request: RequestView,
    /// What happened to it, oldest first.
    pub(crate) timeline: Vec<TimelineEntry>,
    /// Every run of its jobs, oldest first.
    pub(crate) attempts: Vec<AttemptView>,
    /// Its notes for the ticket's journal, oldest first.
    pub(crate) notes: Vec<NoteView>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    job_id: Uuid,
    /// Kind of the job.
    #[schema(example = "create_ticket.v1")]
    kind: Option<String>,
    /// 1 for the first attempt that counts.
    number: i32,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: DateTime<Utc>,
    /// `done`, `retry`, `parked`, `dead` or `cancelled`.
    #[schema(example = "done")]
    outcome: String,
    /// Class of the error, if it was one.
    class: Option<String>,
    /// HTTP status of the decisive answer.
    http_status: Option<u16>,
    /// ServiceNow's transaction id of the decisive answer.
    transaction_id: Option<String>,
    /// What happened, in words.
    message: Option<String>,
    /// Every call it made.
    calls: Vec<CallView>,
}

/// One call to another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallView {
    #[schema(example = "POST")]
    method: String,
    #[schema(example = "/api/now/table/incident")]
    path: String,
    /// HTTP status; null when no answer came.
    status: Option<u16>,
    /// Class of the answer.
    class: String,
    /// ServiceNow's transaction id.
    transaction_id: Option<String>,
    /// How long it took.
    duration_ms: u64,
}

/// A note for the ticket's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Note)]
pub(crate) struct NoteView {
    id: Uuid,
    /// Who wrote it.
    author: String,
    /// What was written.
    text: String,
    /// Whether the requester may see it in ServiceNow.
    visible: bool,
    /// When it was given.
    created_at: DateTime<Utc>,
    /// When it was known to be in the ticket's journal.
    sent_at: Option<DateTime<Utc>>,
}

impl AttemptView {
    pub(crate) fn of(attempt: Attempt, kind: Option<String>) -> Self {
        Self {
            job_id: attempt.job_id,
            kind,
            number: attempt.number,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome,
            class: attempt.class,
            http_status: attempt.http_status,
            transaction_id: attempt.transaction_id,
            message: attempt.message,
            calls: attempt.calls.into_iter().map(CallView::from).collect(),
        }
    }
}

impl From<CallRecord> for CallView {
    fn from(call: CallRecord) -> Self {
        Self {
            method: call.method,
            path: call.path,
            status: call.status,
            class: call.class,
            transaction_id: call.transaction_id,
            duration_ms: call.duration_ms,
        }
    }
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        Self {
            id: note.id,
            author: note.author,
            text: note.text,
            visible: note.visible,
            created_at: note.created_at,
            sent_at: note.sent_at,
        }
    }
}
