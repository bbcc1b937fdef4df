//! The job that brings a ticket after its request.

use chrono::{DateTime, Utc};
use shared::job::{ForRequest, NewJob, Payload};
use uuid::Uuid;

/// Coalesced: one live job a request, which reads the newest state when it runs.
pub(crate) fn job(
    request_id: Uuid,
    connection: &str,
    traceparent: Option<&str>,
    now: DateTime<Utc>,
) -> NewJob {
    NewJob {
        payload: Payload::UpdateServicenowStatus(ForRequest { request_id }),
        connection: Some(connection.to_owned()),
        request_id: Some(request_id),
        priority: 2,
        due_at: now,
        dedup_key: Some(format!("update:{request_id}")),
        traceparent: traceparent.map(str::to_owned),
    }
}
