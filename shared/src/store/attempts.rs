//! One row per run of a job.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entities::attempts::{Column, Entity, Model};
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

/// Writes a run.
pub async fn insert(conn: &impl ConnectionTrait, new: &NewAttempt) -> Result<(), StoreError> {
    let calls =
        serde_json::to_value(&new.calls).map_err(|error| StoreError::corrupt("calls", error))?;
    let row = Model {
        id: new_id(new.finished_at),
        job_id: new.job_id,
        request_id: new.request_id,
        number: new.number,
        token: new.token,
        worker: new.worker.clone(),
        started_at: new.started_at,
        finished_at: new.finished_at,
        outcome: new.outcome.clone(),
        class: new.class.clone(),
        http_status: new.http_status.map(i32::from),
        transaction_id: new.transaction_id.clone(),
        message: new.message.clone(),
        calls,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(conn)
        .await?;
    Ok(())
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
