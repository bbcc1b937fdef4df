//! When each instance last answered well, and when not, as the newest runs tell it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::super::StoreError;
use super::super::sql::Sql;

/// So many runs are looked at, the newest first; so many failed ones as well.
const RUNS: i64 = 1_000;

/// The last run of a connection that ended well after a call.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Success {
    /// Name of the connection.
    pub connection: String,
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// The last run of a connection that ended with an error of a class.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Failure {
    /// Name of the connection.
    pub connection: String,
    /// Class of the error.
    pub class: String,
    /// How many of those that were looked at ended so.
    pub count: i64,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// HTTP status of the decisive answer.
    pub http_status: Option<i32>,
    /// What happened.
    pub message: Option<String>,
    /// Its job.
    pub job_id: Uuid,
}

#[derive(FromQueryResult)]
struct Edge {
    at: DateTime<Utc>,
}

/// The last success of each connection among the newest 1,000 runs.
pub async fn successes(conn: &impl ConnectionTrait) -> Result<Vec<Success>, StoreError> {
    Sql::new(
        conn,
        "SELECT jobs.connection AS connection, MAX(newest.finished_at) AS at FROM (SELECT job_id, outcome, http_status, finished_at \
         FROM attempts ORDER BY id DESC LIMIT ",
    )
    .bind(RUNS)
    .then(
        ") AS newest JOIN jobs ON jobs.id = newest.job_id WHERE newest.outcome = 'done' AND newest.http_status IS NOT NULL \
         AND jobs.connection IS NOT NULL GROUP BY jobs.connection",
    )
    .all(conn)
    .await
}

/// The last failure of each connection and class among the newest 1,000 runs that failed, newest first.
pub async fn failures(conn: &impl ConnectionTrait) -> Result<Vec<Failure>, StoreError> {
    Sql::new(
        conn,
        "SELECT ranked.connection AS connection, ranked.class AS class, ranked.count AS count, attempts.finished_at AS at, \
         attempts.http_status AS http_status, attempts.message AS message, attempts.job_id AS job_id FROM (SELECT newest.id, \
         newest.class, jobs.connection, ROW_NUMBER() OVER same AS place, COUNT(*) OVER (PARTITION BY jobs.connection, newest.class) \
         AS count FROM (SELECT id, class, job_id FROM attempts WHERE class IS NOT NULL ORDER BY id DESC LIMIT ",
    )
    .bind(RUNS)
    .then(
        ") AS newest JOIN jobs ON jobs.id = newest.job_id WHERE jobs.connection IS NOT NULL WINDOW same AS (PARTITION BY \
         jobs.connection, newest.class ORDER BY newest.id DESC)) AS ranked JOIN attempts ON attempts.id = ranked.id WHERE place = 1 \
         ORDER BY attempts.id DESC",
    )
    .all(conn)
    .await
}

/// When the oldest of the newest 1,000 runs ended; `None` when there are fewer.
pub async fn looked_back_to(
    conn: &impl ConnectionTrait,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let edge: Option<Edge> = Sql::new(
        conn,
        "SELECT finished_at AS at FROM attempts ORDER BY id DESC LIMIT 1 OFFSET ",
    )
    .bind(RUNS - 1)
    .one(conn)
    .await?;
    Ok(edge.map(|edge| edge.at))
}
