//! Checks of connections that operators have asked for, with what they found. A check has the id of its job.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use super::StoreError;
use super::sql::Sql;
use crate::checkup::Step;

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its id, and that of its job.
    pub id: Uuid,
    /// Name of the connection.
    pub connection: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// The worker that made it; `None` while none has.
    pub worker: Option<String>,
    /// When that began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it found.
    pub steps: Vec<Step>,
}

/// The end of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: Uuid,
    /// The worker that made it.
    pub worker: String,
    /// When that began.
    pub started_at: DateTime<Utc>,
    /// What it found.
    pub steps: Vec<Step>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    connection: String,
    asked_by: String,
    asked_at: DateTime<Utc>,
    worker: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    steps: Json,
}

/// Enters a check whose job has been stored, in the same transaction.
pub async fn ask(
    conn: &impl ConnectionTrait,
    id: Uuid,
    connection: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(
        conn,
        "INSERT INTO connection_checks (id, connection, asked_by, asked_at, steps) VALUES (",
    )
    .bind(id)
    .then(", ")
    .bind(connection)
    .then(", ")
    .bind(by)
    .then(", ")
    .bind(now)
    .then(", ")
    .bind(Json::Array(Vec::new()))
    .then(")")
    .run(conn)
    .await?;
    Ok(())
}

/// Enters what a check has found; nothing when it is no longer kept.
pub async fn end(
    conn: &impl ConnectionTrait,
    made: &Made,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let steps =
        serde_json::to_value(&made.steps).map_err(|error| StoreError::corrupt("steps", error))?;
    Sql::new(conn, "UPDATE connection_checks SET worker = ")
        .bind(made.worker.as_str())
        .then(", started_at = ")
        .bind(made.started_at)
        .then(", ended_at = ")
        .bind(now)
        .then(", steps = ")
        .bind(steps)
        .then(" WHERE id = ")
        .bind(made.id)
        .run(conn)
        .await?;
    Ok(())
}

/// The checks of a connection, newest first.
pub async fn of_connection(
    conn: &impl ConnectionTrait,
    connection: &str,
    limit: u64,
) -> Result<Vec<Check>, StoreError> {
    let rows: Vec<Row> = Sql::new(conn, "SELECT * FROM connection_checks WHERE connection = ")
        .bind(connection)
        .then(" ORDER BY id DESC LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await?;
    rows.into_iter().map(Check::try_from).collect()
}

/// Removes all but the newest `kept` of each connection; how many.
pub async fn keep_newest(conn: &impl ConnectionTrait, kept: i64) -> Result<u64, StoreError> {
    Sql::new(
        conn,
        "DELETE FROM connection_checks WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY connection \
         ORDER BY id DESC) AS place FROM connection_checks) AS placed WHERE place > ",
    )
    .bind(kept)
    .then(")")
    .run(conn)
    .await
}

impl TryFrom<Row> for Check {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            connection: row.connection,
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            worker: row.worker,
            started_at: row.started_at,
            ended_at: row.ended_at,
            steps: serde_json::from_value(row.steps)
                .map_err(|error| StoreError::corrupt("steps", error))?,
        })
    }
}
