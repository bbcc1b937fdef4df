//! What operators do with jobs that wait for them.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::audit::{self, Actor, Entry};
use crate::store::sql::Sql;

#[derive(FromQueryResult)]
struct Stopped {
    state: String,
    last_error: Option<String>,
}

/// Makes the parked jobs of a lane, or of a whole connection, due now; how many.
pub async fn unpark(
    conn: &impl ConnectionTrait,
    lane_or_connection: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    Sql::new(conn, "UPDATE jobs SET state = 'due', due_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE state = 'parked' AND (lane = ")
        .bind(lane_or_connection)
        .then(" OR connection = ")
        .bind(lane_or_connection)
        .then(")")
        .run(conn)
        .await
}

/// Gives a dead or parked job a fresh start, due now, with an audit entry; use a transaction.
///
/// False when it is in another state, or a live job holds its key and does the same work.
pub async fn revive(
    conn: &impl ConnectionTrait,
    id: Uuid,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let before: Option<Stopped> = Sql::new(
        conn,
        "SELECT state, last_error FROM jobs WHERE state IN ('dead', 'parked') AND id = ",
    )
    .bind(id)
    .postgres(" FOR UPDATE")
    .one(conn)
    .await?;
    let Some(before) = before else {
        return Ok(false);
    };
    let touched = Sql::new(
        conn,
        "UPDATE jobs SET state = 'due', attempts = 0, worker_deaths = 0, sentence = NULL, first_started_at = NULL, finished_at = NULL, due_at = ",
    )
    .bind(now)
    .then(", updated_at = ")
    .bind(now)
    .then(
        " WHERE state IN ('dead', 'parked') AND NOT EXISTS (SELECT 1 FROM jobs AS live \
         WHERE live.dedup_key = jobs.dedup_key AND live.id <> jobs.id \
         AND live.finished_at IS NULL) AND id = ",
    )
    .bind(id)
    .run(conn)
    .await?;
    if touched == 0 {
        return Ok(false);
    }
    let entry = Entry {
        actor,
        action: "job.revived",
        subject_kind: "job",
        subject_id: &id.to_string(),
        from: Some(&before.state),
        to: Some("due"),
        reason: before.last_error.as_deref(),
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await?;
    Ok(true)
}
