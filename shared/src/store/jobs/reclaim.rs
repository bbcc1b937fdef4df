//! Takes back the jobs of processes that are no more.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sql::Sql;

/// A job that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Reclaimed {
    /// The job.
    pub id: Uuid,
    /// Its kind as stored.
    pub kind: String,
    /// The process that held it.
    #[sea_orm(alias = "lease_owner")]
    pub owner: Option<String>,
    /// How many processes have died over it so far: a job that kills its worker shows here.
    pub worker_deaths: i32,
}

/// Makes due again, at once, what runs under a process whose lease has run out or which is not on the list.
///
/// The token stays: whoever claims next has a higher one, and the old holder can no longer finish.
pub async fn reclaim(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Reclaimed>, StoreError> {
    Sql::new(
        conn,
        "WITH picked AS MATERIALIZED (SELECT jobs.id FROM jobs WHERE jobs.state = 'running' \
         AND NOT EXISTS (SELECT 1 FROM processes WHERE processes.id = jobs.lease_owner AND processes.lease_until > ",
    )
    .bind(now)
    .then(") ORDER BY jobs.updated_at LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .postgres(" FOR UPDATE OF jobs SKIP LOCKED")
    .then(") UPDATE jobs SET state = 'due', rung_at = NULL, worker_deaths = worker_deaths + 1, due_at = ")
    .bind(now)
    .then(", updated_at = ")
    .bind(now)
    .then(
        " WHERE state = 'running' AND id IN (SELECT id FROM picked) \
         RETURNING id, kind, lease_owner, worker_deaths",
    )
    .all(conn)
    .await
}
