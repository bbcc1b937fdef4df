//! One row per run of a job.

mod contacts;

pub use contacts::{Failure, Success, failures, looked_back_to, successes};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entities::attempts::{Column, Entity, Model};
use super::sql::Sql;
use super::{StoreError, new_id};

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// Its job.
    pub job_id: Uuid,
    /// The request of the job.
    pub request_id: Option<Uuid>,
    /// 1 for the first attempt that counts.
    pub number: i32,
    /// Fencing token of the run.
    pub token: i64,
    /// Identity of the worker process.
    pub worker: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// `done`, `retry`, `parked`, `dead`, `cancelled`.
    pub outcome: String,
    /// Class of the error, if it was one.
    pub class: Option<String>,
    /// HTTP status of the decisive answer.
    pub http_status: Option<u16>,
    /// ServiceNow's transaction id of the decisive answer.
    pub transaction_id: Option<String>,
    /// What happened, in words, without secrets.
    pub message: Option<String>,
    /// Every call it made.
    pub calls: Vec<CallRecord>,
}

/// A call to another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// HTTP method.
    pub method: String,
    /// Path and query, without secrets.
    pub path: String,
    /// HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// Class of the answer.
    pub class: String,
    /// ServiceNow's transaction id.
    pub transaction_id: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// Its job.
    pub job_id: Uuid,
    /// The request of the job.
    pub request_id: Option<Uuid>,
    /// 1 for the first attempt that counts.
    pub number: i32,
    /// Fencing token of the run.
    pub token: i64,
    /// Identity of the worker process.
    pub worker: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// `done`, `retry`, `parked`, `dead`, `cancelled`.
    pub outcome: String,
    /// Class of the error.
    pub class: Option<String>,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// ServiceNow's transaction id.
    pub transaction_id: Option<String>,
    /// What happened.
    pub message: Option<String>,
    /// Every call it made.
    pub calls: Vec<CallRecord>,
}

/// Writes a run at its end.
pub async fn insert(conn: &impl ConnectionTrait, new: &NewAttempt) -> Result<(), StoreError> {
    insert_all(conn, &[new], new.finished_at).await
}

/// Writes several runs in one statement.
///
/// Their ids begin with `now` and not with their end: what is written hours late, because the database was away, still stands
/// behind what was read before (`minutes`).
pub async fn insert_all(
    conn: &impl ConnectionTrait,
    new: &[&NewAttempt],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let rows = new.iter().map(|it| values(it, now));
    Sql::given(
        conn,
        "id uuid, job_id uuid, request_id uuid, number integer, token bigint, worker text, started_at timestamptz, \
         finished_at timestamptz, outcome text, class text, http_status integer, transaction_id text, message text, calls jsonb",
        rows.collect::<Result<_, _>>()?,
    )
    .then(
        "INSERT INTO attempts (id, job_id, request_id, number, token, worker, started_at, finished_at, outcome, class, \
         http_status, transaction_id, message, calls) SELECT * FROM given",
    )
    .run(conn)
    .await?;
    Ok(())
}

fn values(new: &NewAttempt, now: DateTime<Utc>) -> Result<Vec<Value>, StoreError> {
    let calls =
        serde_json::to_value(&new.calls).map_err(|error| StoreError::corrupt("calls", error))?;
    Ok(vec![
        new_id(now).into(),
        new.job_id.into(),
        new.request_id.into(),
        new.number.into(),
        new.token.into(),
        new.worker.as_str().into(),
        new.started_at.into(),
        new.finished_at.into(),
        new.outcome.as_str().into(),
        new.class.clone().into(),
        new.http_status.map(i32::from).into(),
        new.transaction_id.clone().into(),
        new.message.clone().into(),
        calls.into(),
    ])
}

/// The runs of all jobs about a request, oldest first.
pub async fn of_request(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
) -> Result<Vec<Attempt>, StoreError> {
    read(conn, Column::RequestId.eq(request_id)).await
}

/// The runs of a job, oldest first.
pub async fn of_job(conn: &impl ConnectionTrait, job_id: Uuid) -> Result<Vec<Attempt>, StoreError> {
    read(conn, Column::JobId.eq(job_id)).await
}

async fn read(
    conn: &impl ConnectionTrait,
    which: impl sea_orm::sea_query::IntoCondition,
) -> Result<Vec<Attempt>, StoreError> {
    let rows = Entity::find()
        .filter(which)
        .order_by_asc(Column::StartedAt)
        .order_by_asc(Column::Token)
        .all(conn)
        .await?;
    rows.into_iter().map(Attempt::try_from).collect()
}

impl TryFrom<Model> for Attempt {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            job_id: row.job_id,
            request_id: row.request_id,
            number: row.number,
            token: row.token,
            worker: row.worker,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome,
            class: row.class,
            http_status: row
                .http_status
                .and_then(|status| u16::try_from(status).ok()),
            transaction_id: row.transaction_id,
            message: row.message,
            calls: serde_json::from_value(row.calls)
                .map_err(|error| StoreError::corrupt("calls of an attempt", error))?,
        })
    }
}
