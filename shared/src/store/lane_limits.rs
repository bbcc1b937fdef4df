//! How many jobs of a lane each worker may run at a time, where an operator has set it. A lane without a row goes by the
//! configuration.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};
use serde_json::Value as Json;

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::sql::Sql;

/// Key of the PostgreSQL advisory lock under which figures are set: "ticklane" as a number.
const SETTING: i64 = 0x7469_636b_6c61_6e65;

/// A lane whose figure was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneLimit {
    /// The lane.
    pub lane: String,
    /// Jobs at a time, for each worker.
    pub jobs: u32,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
}

#[derive(FromQueryResult)]
struct Row {
    lane: String,
    jobs: i32,
    changed_by: String,
    changed_at: DateTime<Utc>,
    reason: Option<String>,
}

/// Lets nobody else set a figure before the transaction has ended, so that what all lanes together may have is counted over figures that
/// stay. To be called in it before any of them is read. SQLite has one transaction at a time anyway.
pub async fn hold(conn: &impl ConnectionTrait) -> Result<(), StoreError> {
    if conn.get_database_backend() == DbBackend::Postgres {
        Sql::new(conn, "SELECT pg_advisory_xact_lock(")
            .bind(SETTING)
            .then(")")
            .run(conn)
            .await?;
    }
    Ok(())
}

/// Every figure that is set, by lane.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<LaneLimit>, StoreError> {
    let rows: Vec<Row> = Sql::new(conn, "SELECT * FROM lane_limits ORDER BY lane")
        .all(conn)
        .await?;
    let limit = |row: Row| LaneLimit {
        lane: row.lane,
        jobs: row.jobs.unsigned_abs(),
        by: row.changed_by,
        at: row.changed_at,
        reason: row.reason,
    };
    Ok(rows.into_iter().map(limit).collect())
}

/// A change of one lane's figure; `None` stands for the configured one.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The lane.
    pub lane: &'a str,
    /// As it was when somebody looked.
    pub before: Option<u32>,
    /// As it shall be.
    pub after: Option<u32>,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Sets a figure or takes it back, with the audit entry; use a transaction. False when it is no longer as it was.
pub async fn change(
    conn: &impl ConnectionTrait,
    change: &Change<'_>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let statement = match (change.before, change.after) {
        (None, Some(jobs)) => Sql::new(
            conn,
            "INSERT INTO lane_limits (lane, jobs, changed_by, changed_at, reason) VALUES (",
        )
        .bind(change.lane)
        .then(", ")
        .bind(stored(jobs))
        .then(", ")
        .bind(actor.to_string())
        .then(", ")
        .bind(now)
        .then(", ")
        .bind(change.reason.map(str::to_owned))
        .then(") ON CONFLICT (lane) DO NOTHING"),
        (Some(before), Some(jobs)) => Sql::new(conn, "UPDATE lane_limits SET jobs = ")
            .bind(stored(jobs))
            .then(", changed_by = ")
            .bind(actor.to_string())
            .then(", changed_at = ")
            .bind(now)
            .then(", reason = ")
            .bind(change.reason.map(str::to_owned))
            .then(" WHERE lane = ")
            .bind(change.lane)
            .then(" AND jobs = ")
            .bind(stored(before)),
        (Some(before), None) => Sql::new(conn, "DELETE FROM lane_limits WHERE lane = ")
            .bind(change.lane)
            .then(" AND jobs = ")
            .bind(stored(before)),
        (None, None) => return Ok(false),
    };
    if statement.run(conn).await? != 1 {
        return Ok(false);
    }
    let entry = Entry {
        actor,
        action: "lane.concurrency_set",
        subject_kind: "lane",
        subject_id: change.lane,
        from: Some(&word(change.before)),
        to: Some(&word(change.after)),
        reason: change.reason,
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await?;
    Ok(true)
}

fn stored(jobs: u32) -> i32 {
    i32::try_from(jobs).unwrap_or(i32::MAX)
}

fn word(jobs: Option<u32>) -> String {
    jobs.map_or_else(|| "configured".to_owned(), |jobs| jobs.to_string())
}
