//! What the death of a worker says about jobs that it did not hold.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::Holder;
use crate::job::POISON;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// Whether a worker that died had a job in hand over which another had died right before. Its jobs may be taken back already.
pub async fn had_suspect(conn: &impl ConnectionTrait, owner: &str) -> Result<bool, StoreError> {
    // Two branches, each along its own partial index.
    let held: Vec<Holder> = Sql::new(
        conn,
        "SELECT id FROM jobs WHERE state = 'running' AND worker_deaths > 0 AND lease_owner = ",
    )
    .bind(owner)
    .then(
        " UNION ALL SELECT id FROM jobs WHERE worker_deaths > 1 AND state IN ('due', 'rung') AND lease_owner = ",
    )
    .bind(owner)
    .all(conn)
    .await?;
    Ok(!held.is_empty())
}

/// The worker `owner` has died without a suspect in hand, so workers die of something else too: the count of every job that it did
/// not hold begins anew, and one that waits for its verdict is due now. How many there were.
pub async fn acquit(
    conn: &impl ConnectionTrait,
    owner: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    // The count stands in the text, or SQLite would not use the partial index over it.
    Sql::new(
        conn,
        "UPDATE jobs SET worker_deaths = 0, due_at = CASE WHEN state = 'due' AND worker_deaths >= ",
    )
    .bind(POISON)
    .then(" THEN ")
    .bind(now)
    .then(" ELSE due_at END WHERE worker_deaths > 0 AND state IN ('due', 'rung', 'running') AND lease_owner <> ")
    .bind(owner)
    .run(conn)
    .await
}
