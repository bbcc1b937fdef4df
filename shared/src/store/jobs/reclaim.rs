//! Takes back the jobs of processes that are no more.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::WORKER_LOST;
use crate::job::POISON;
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
    /// How many processes in a row have died while they held it: a job that kills its worker shows here.
    pub worker_deaths: i32,
}

/// Makes due again what runs under a process whose lease has run out or which is not on the list: at once, before what has been
/// due for a shorter time, but one that is poison (`job::POISON`) at `verdict_at`.
///
/// The token stays: whoever claims next has a higher one, and the old holder can no longer finish.
pub async fn reclaim(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
    verdict_at: DateTime<Utc>,
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
    .then(") UPDATE jobs SET state = 'due', rung_at = NULL, worker_deaths = worker_deaths + 1, \
         last_error = 'its worker ' || COALESCE(lease_owner, 'without a name') || ' fell silent', \
         last_error_class = ")
    .bind(WORKER_LOST)
    .then(", due_at = CASE WHEN worker_deaths + 1 >= ")
    .bind(POISON)
    .then(" THEN ")
    .bind(verdict_at)
    .then(" ELSE due_at END, updated_at = ")
    .bind(now)
    .then(
        " WHERE state = 'running' AND id IN (SELECT id FROM picked) \
         RETURNING id, kind, lease_owner, worker_deaths",
    )
    .all(conn)
    .await
}

/// Makes due at once what still runs under a process that ends in good order; how many. Nobody died, so nothing is counted.
pub async fn hand_back(
    conn: &impl ConnectionTrait,
    owner: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    Sql::new(
        conn,
        "UPDATE jobs SET state = 'due', rung_at = NULL, updated_at = ",
    )
    .bind(now)
    .then(" WHERE state = 'running' AND lease_owner = ")
    .bind(owner)
    .run(conn)
    .await
}
