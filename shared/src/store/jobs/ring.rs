//! The relay's part: which jobs are to be rung, in batches, without two relays taking the same one.
//!
//! The rows are picked in a materialized part of the statement: PostgreSQL may run a plain sub-select several times,
//! and with `SKIP LOCKED` it would then pick more rows than its limit.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use super::{QueuedJob, QueuedRow, known_kinds};
use crate::store::StoreError;
use crate::store::sql::Sql;

/// What waits in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneDue {
    /// The lane.
    pub lane: String,
    /// Jobs to be rung now.
    pub due: u64,
    /// Since when the oldest of them is due.
    pub oldest_due_at: Option<DateTime<Utc>>,
    /// Jobs that were rung and not yet claimed.
    pub rung: u64,
}

#[derive(FromQueryResult)]
struct LaneRow {
    lane: String,
    due: i64,
    oldest_due_at: Option<DateTime<Utc>>,
    rung: i64,
}

#[derive(FromQueryResult)]
struct TakenRow {
    id: Uuid,
    lane: String,
    kind: String,
    traceparent: Option<String>,
    priority: i16,
    due_at: DateTime<Utc>,
}

/// Turns due jobs into rung ones, at most `room` per lane, by priority and age; they are to be pushed after the commit.
pub async fn take_due(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
    per_lane: &[(String, u64)],
) -> Result<Vec<QueuedJob>, StoreError> {
    let mut taken = Vec::new();
    for (lane, room) in per_lane.iter().filter(|(_, room)| *room > 0) {
        let picked = Sql::new(
            conn,
            "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'due' AND lane = ",
        )
        .bind(lane.as_str())
        .then(" AND due_at <= ")
        .bind(now)
        .then(" AND kind")
        .one_of(&known_kinds())
        .then(" ORDER BY priority, due_at LIMIT ")
        .bind(i64::try_from(*room).unwrap_or(i64::MAX))
        .postgres(" FOR UPDATE SKIP LOCKED");
        let mut rows: Vec<TakenRow> = picked
            .then(") UPDATE jobs SET state = 'rung', rung_at = ")
            .bind(now)
            .then(", updated_at = ")
            .bind(now)
            .then(" WHERE state = 'due' AND id IN (SELECT id FROM picked)")
            .then(" RETURNING id, lane, kind, traceparent, priority, due_at")
            .all(conn)
            .await?;
        rows.sort_by_key(|row| (row.priority, row.due_at, row.id));
        for row in rows {
            let TakenRow {
                id,
                lane,
                kind,
                traceparent,
                ..
            } = row;
            taken.push(
                QueuedRow {
                    id,
                    lane,
                    kind,
                    traceparent,
                }
                .queued(true)?,
            );
        }
    }
    Ok(taken)
}

/// What waits in each lane that holds a due or a rung job.
pub async fn lanes_waiting(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<LaneDue>, StoreError> {
    let rows: Vec<LaneRow> = Sql::new(
        conn,
        "SELECT lane, CAST(SUM(due) AS BIGINT) AS due, MIN(oldest_due_at) AS oldest_due_at, \
         CAST(SUM(rung) AS BIGINT) AS rung FROM (\
         SELECT lane, COUNT(*) AS due, MIN(due_at) AS oldest_due_at, 0 AS rung FROM jobs \
         WHERE state = 'due' AND due_at <= ",
    )
    .bind(now)
    .then(
        " GROUP BY lane UNION ALL \
         SELECT lane, 0 AS due, NULL AS oldest_due_at, COUNT(*) AS rung FROM jobs WHERE state = 'rung' GROUP BY lane\
         ) AS waiting GROUP BY lane ORDER BY lane",
    )
    .all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LaneDue {
            lane: row.lane,
            due: u64::try_from(row.due).unwrap_or_default(),
            oldest_due_at: row.oldest_due_at,
            rung: u64::try_from(row.rung).unwrap_or_default(),
        })
        .collect())
}

/// Rings again what was rung before `rung_before` and is still not claimed: at most `limit` jobs, the oldest first.
pub async fn ring_again(
    conn: &impl ConnectionTrait,
    lane: &str,
    rung_before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<QueuedJob>, StoreError> {
    let rows: Vec<QueuedRow> =
        Sql::new(conn, "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'rung' AND lane = ")
            .bind(lane)
            .then(" AND rung_at < ")
            .bind(rung_before)
            .then(" AND kind")
            .one_of(&known_kinds())
            .then(" ORDER BY rung_at LIMIT ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .postgres(" FOR UPDATE SKIP LOCKED")
            .then(") UPDATE jobs SET rung_at = ")
            .bind(now)
            .then(", updated_at = ")
            .bind(now)
            .then(" WHERE state = 'rung' AND id IN (SELECT id FROM picked) RETURNING id, lane, kind, traceparent")
            .all(conn)
            .await?;
    rows.into_iter().map(|row| row.queued(true)).collect()
}
