//! Cancels a job that no worker has touched.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::job::JobKind;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// It will never run.
    Cancelled,
    /// A worker has claimed it at least once: its effects may be out in the world.
    Started,
    /// There is no such job, or it was cancelled before.
    None,
}

#[derive(FromQueryResult)]
struct Tokens {
    highest: Option<i64>,
}

/// Cancels the job of a kind for a request, unless it was ever claimed. In the same transaction as the withdrawal.
pub async fn cancel_unstarted(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
    kind: JobKind,
    now: DateTime<Utc>,
) -> Result<Cancel, StoreError> {
    let touched = Sql::new(conn, "UPDATE jobs SET state = 'cancelled', finished_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE state IN ('due', 'rung', 'parked') AND lease_token = 0 AND request_id = ")
        .bind(request_id)
        .then(" AND kind = ")
        .bind(kind.as_str())
        .run(conn)
        .await?;
    if touched > 0 {
        return Ok(Cancel::Cancelled);
    }
    let tokens: Option<Tokens> = Sql::new(
        conn,
        "SELECT MAX(lease_token) AS highest FROM jobs WHERE request_id = ",
    )
    .bind(request_id)
    .then(" AND kind = ")
    .bind(kind.as_str())
    .one(conn)
    .await?;
    let started = tokens
        .and_then(|row| row.highest)
        .is_some_and(|token| token > 0);
    Ok(if started {
        Cancel::Started
    } else {
        Cancel::None
    })
}
