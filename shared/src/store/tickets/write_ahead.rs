//! Puts on record that a create is about to be sent.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::job::Lease;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// Writes ahead that a create is about to be sent, while `lease` still holds the job; false when it does not.
///
/// The newest moment counts: a quiet period begins with the last send that may have arrived. The job row is locked
/// until the write has committed, so whoever gets the job next sees the mark.
pub async fn mark_maybe_sent(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
    lease: &Lease,
    job_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE tickets SET maybe_sent_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE request_id = ")
        .bind(request_id)
        .then(" AND EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND id = ")
        .bind(job_id)
        .then(" AND lease_owner = ")
        .bind(lease.owner.as_str())
        .then(" AND lease_token = ")
        .bind(lease.token)
        .postgres(" FOR SHARE")
        .then(")")
        .run(conn)
        .await?;
    Ok(touched == 1)
}
