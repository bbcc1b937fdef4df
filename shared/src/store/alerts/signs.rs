//! What alerts count that nobody else does. Each looks at a bounded number of rows, by an index that is there for others.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::job::JobKind;
use crate::store::StoreError;
use crate::store::ids::first_id;
use crate::store::sql::Sql;

/// As much is counted; more stands for that much.
const MOST: i64 = 1_000;
/// So many of the newest runs are looked at.
const MOST_RUNS: i64 = 5_000;

/// The runs on a connection.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Runs {
    /// The connection.
    pub connection: String,
    /// How many have ended.
    pub ended: i64,
    /// How many of them the limits of the instance have put off.
    pub put_off: i64,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

/// The runs since `from` by connection, the newest of them when there are many.
pub async fn runs_by_connection(
    conn: &impl ConnectionTrait,
    from: DateTime<Utc>,
) -> Result<Vec<Runs>, StoreError> {
    Sql::new(
        conn,
        "SELECT jobs.connection AS connection, COUNT(*) AS ended, \
         COUNT(CASE WHEN runs.class IN ('rate_limited', 'busy', 'throttled') THEN 1 END) AS put_off \
         FROM (SELECT job_id, class FROM attempts WHERE id >= ",
    )
    .bind(first_id(from))
    .then(" ORDER BY id DESC LIMIT ")
    .bind(MOST_RUNS)
    .then(
        ") AS runs JOIN jobs ON jobs.id = runs.job_id WHERE jobs.connection IS NOT NULL \
         GROUP BY jobs.connection ORDER BY jobs.connection",
    )
    .all(conn)
    .await
}

/// Requests whose flag begins with these words; 1,000 stands for that many or more.
pub async fn flagged(conn: &impl ConnectionTrait, beginning: &str) -> Result<i64, StoreError> {
    let row: Option<Count> = Sql::new(
        conn,
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM requests WHERE attention IS NOT NULL AND attention LIKE ",
    )
    .bind(format!("{beginning}%"))
    .then(" LIMIT ")
    .bind(MOST)
    .then(") AS counted")
    .one(conn)
    .await?;
    Ok(row.map_or(0, |row| row.count))
}

/// Creates that wait for a look because an answer left open whether there is a ticket; 1,000 stands for that many or more.
pub async fn unsettled_creates(conn: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let condition = "last_error_class IN ('maybe', 'garbage', 'thrown_away', 'not_visible_yet')";
    waiting(conn, JobKind::CreateTicket, condition).await
}

/// Callbacks that wait for another attempt; 1,000 stands for that many or more.
pub async fn failing_callbacks(conn: &impl ConnectionTrait) -> Result<i64, StoreError> {
    waiting(
        conn,
        JobKind::DeliverCallback,
        "last_error_class IS NOT NULL",
    )
    .await
}

/// Jobs of a kind that wait or run and have failed before. One branch for each partial index.
async fn waiting(
    conn: &impl ConnectionTrait,
    kind: JobKind,
    condition: &str,
) -> Result<i64, StoreError> {
    let mut sql = Sql::new(conn, "SELECT COUNT(*) AS count FROM (");
    for (place, state) in ["due", "rung", "running"].into_iter().enumerate() {
        sql = sql
            .then(if place == 0 { "" } else { " UNION ALL " })
            .then("SELECT 1 AS one FROM jobs WHERE state = '")
            .then(state)
            .then("' AND kind = ")
            .bind(kind.as_str())
            .then(" AND ")
            .then(condition);
    }
    let row: Option<Count> = sql
        .then(" LIMIT ")
        .bind(MOST)
        .then(") AS counted")
        .one(conn)
        .await?;
    Ok(row.map_or(0, |row| row.count))
}
