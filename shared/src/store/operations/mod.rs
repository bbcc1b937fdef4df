//! What operators do with many jobs: stored when it is pressed, carried out page by page, stopped at any moment.

mod advance;

pub use advance::{Advanced, advance};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::ids::first_id;
use super::jobs::{JobAction, JobFilter};
use super::sql::Sql;
use super::{StoreError, new_id};

/// Jobs that can be named one by one.
pub const MOST_IDS: usize = 1_000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperation {
    /// What.
    pub action: JobAction,
    /// With which jobs, when `ids` is empty.
    pub filter: JobFilter,
    /// With these jobs; [`MOST_IDS`] at most.
    pub ids: Vec<Uuid>,
    /// So many a minute at most.
    pub per_minute: Option<u32>,
    /// Whether it waits while a circuit holds the next jobs.
    pub waits_for_circuit: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub operator: String,
    /// From where.
    pub address: String,
    /// How many jobs there were when it was pressed.
    pub matched: u64,
}

/// What is being done, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Its id.
    pub id: Uuid,
    /// What is done.
    pub action: JobAction,
    /// With which jobs.
    pub filter: JobFilter,
    /// With these jobs, when there are any.
    pub ids: Vec<Uuid>,
    /// So many a minute at most.
    pub per_minute: Option<u32>,
    /// Whether it waits while a circuit holds the next jobs.
    pub waits_for_circuit: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub operator: String,
    /// How many jobs there were when it was pressed.
    pub matched: u64,
    /// With how many it was done.
    pub done: u64,
    /// With how many it could not be done.
    pub skipped: u64,
    /// Why the last of those was left out.
    pub last_skipped: Option<String>,
    /// What it waits for, other than its rate.
    pub waits_for: Option<String>,
    /// When it goes on.
    pub next_at: DateTime<Utc>,
    /// When it was pressed.
    pub created_at: DateTime<Utc>,
    /// When somebody stopped it.
    pub stopped_at: Option<DateTime<Utc>>,
    /// When it ended, by itself or because it was stopped.
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    action: String,
    filter: Json,
    ids: Json,
    per_minute: Option<i32>,
    waits_for_circuit: bool,
    reason: Option<String>,
    operator: String,
    matched: i64,
    done: i64,
    skipped: i64,
    last_skipped: Option<String>,
    position: Option<Uuid>,
    up_to: Uuid,
    waits_for: Option<String>,
    next_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    stopped_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// Stores an operation, with an audit entry; use a transaction. Jobs that are stored later are not touched by it.
pub async fn start(
    conn: &impl ConnectionTrait,
    new: &NewOperation,
    now: DateTime<Utc>,
) -> Result<Uuid, StoreError> {
    let id = new_id(now);
    let filter = encoded(&new.filter)?;
    let values: Vec<sea_orm::Value> = vec![
        id.into(),
        new.action.as_str().into(),
        filter.clone().into(),
        json!(new.ids).into(),
        new.per_minute
            .and_then(|rate| i32::try_from(rate).ok())
            .into(),
        new.waits_for_circuit.into(),
        new.reason.clone().into(),
        new.operator.as_str().into(),
        new.address.as_str().into(),
        count(new.matched).into(),
        // Ids begin with their time, in milliseconds: what this one holds is before it.
        first_id(now + TimeDelta::milliseconds(1)).into(),
        now.into(),
        now.into(),
        now.into(),
    ];
    let mut insert = Sql::new(
        conn,
        "INSERT INTO operations (id, action, filter, ids, per_minute, waits_for_circuit, reason, operator, address, matched, up_to, next_at, \
         created_at, updated_at, done, skipped) VALUES (",
    );
    for value in values {
        insert = insert.bind(value).then(", ");
    }
    insert.then("0, 0)").run(conn).await?;
    let detail = json!({
        "action": new.action, "filter": filter, "ids": new.ids, "matched": new.matched, "per_minute": new.per_minute,
        "waits_for_circuit": new.waits_for_circuit, "address": new.address,
    });
    let actor = Actor::Operator(new.operator.clone());
    tell(
        conn,
        id,
        "operation.started",
        &actor,
        new.reason.as_deref(),
        detail,
        now,
    )
    .await?;
    Ok(id)
}

/// The operation of that id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Operation>, StoreError> {
    let row: Option<Row> = Sql::new(conn, "SELECT * FROM operations WHERE id = ")
        .bind(id)
        .one(conn)
        .await?;
    row.map(Operation::try_from).transpose()
}

/// At most `limit` operations, newest first.
pub async fn list(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<Operation>, StoreError> {
    let rows: Vec<Row> = Sql::new(conn, "SELECT * FROM operations ORDER BY id DESC LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// Stops an operation: what it has done stays done. False when it has ended; use a transaction.
pub async fn stop(
    conn: &impl ConnectionTrait,
    id: Uuid,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE operations SET stopped_at = ")
        .bind(now)
        .then(", finished_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(", waits_for = NULL WHERE finished_at IS NULL AND id = ")
        .bind(id)
        .run(conn)
        .await?;
    if touched == 0 {
        return Ok(false);
    }
    tell(conn, id, "operation.stopped", actor, None, Json::Null, now).await?;
    Ok(true)
}

async fn tell(
    conn: &impl ConnectionTrait,
    id: Uuid,
    action: &str,
    actor: &Actor,
    reason: Option<&str>,
    detail: Json,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "operation",
        subject_id: &id.to_string(),
        from: None,
        to: None,
        reason,
        detail,
    };
    audit::append(conn, &entry, now).await
}

fn encoded(filter: &JobFilter) -> Result<Json, StoreError> {
    serde_json::to_value(filter).map_err(|error| StoreError::corrupt("filter", error))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn word<T: serde::de::DeserializeOwned>(what: &'static str, json: Json) -> Result<T, StoreError> {
    serde_json::from_value(json).map_err(|error| StoreError::corrupt(what, error))
}

impl TryFrom<Row> for Operation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            action: word("action", Json::String(row.action))?,
            filter: word("filter", row.filter)?,
            ids: word("ids", row.ids)?,
            per_minute: row.per_minute.map(i32::unsigned_abs),
            waits_for_circuit: row.waits_for_circuit,
            reason: row.reason,
            operator: row.operator,
            matched: row.matched.unsigned_abs(),
            done: row.done.unsigned_abs(),
            skipped: row.skipped.unsigned_abs(),
            last_skipped: row.last_skipped,
            waits_for: row.waits_for,
            next_at: row.next_at,
            created_at: row.created_at,
            stopped_at: row.stopped_at,
            finished_at: row.finished_at,
        })
    }
}
