//! The relay's part: which jobs are to be rung, in batches, without two relays taking the same one.
//!
//! The rows are picked in a materialized part of the statement: PostgreSQL may run a plain sub-select several times,
//! and with `SKIP LOCKED` it would then pick more rows than its limit. What is picked is locked in its state, so the update names
//! ids alone: were the state named again, PostgreSQL, whose statistics of a quiet night know of no job in it, would compare
//! the whole backlog with each row picked.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use super::{QueuedJob, QueuedRow, RETURNING_QUEUED, known_kinds};
use crate::job::ConnectionCheck;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// Rows that are counted per lane: more than a relay rings in one round, and few enough to count many times a second.
const COUNTED: i64 = 2_000;

/// What waits in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneDue {
    /// The lane.
    pub lane: String,
    /// Jobs to be rung now; 2,000 stands for that many or more.
    pub due: u64,
    /// Jobs that were rung and not yet claimed; 2,000 stands for that many or more.
    pub rung: u64,
}

#[derive(FromQueryResult)]
struct LaneRow {
    lane: String,
    due: i64,
    rung: i64,
}

#[derive(FromQueryResult)]
struct TakenRow {
    id: Uuid,
    lane: String,
    kind: String,
    traceparent: Option<String>,
    last_error_class: Option<String>,
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
            .then(" WHERE id IN (SELECT id FROM picked)")
            .then(RETURNING_QUEUED)
            .then(", priority, due_at")
            .all(conn)
            .await?;
        rows.sort_by_key(|row| (row.priority, row.due_at, row.id));
        for row in rows {
            let TakenRow {
                id,
                lane,
                kind,
                traceparent,
                last_error_class,
                ..
            } = row;
            taken.push(
                QueuedRow {
                    id,
                    lane,
                    kind,
                    traceparent,
                    last_error_class,
                }
                .queued(true)?,
            );
        }
    }
    Ok(taken)
}

/// What waits in each lane that holds a due or a rung job, also one that is due later.
///
/// The lanes are found by leaping along the indexes from one to the next, and each is counted up to a bound, so that a
/// long backlog costs no more than a short one.
pub async fn lanes_waiting(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<LaneDue>, StoreError> {
    let rows: Vec<LaneRow> = Sql::new(
        conn,
        "WITH RECURSIVE due_lanes(lane) AS (SELECT MIN(lane) FROM jobs WHERE state = 'due' UNION ALL \
         SELECT (SELECT MIN(jobs.lane) FROM jobs WHERE jobs.state = 'due' AND jobs.lane > due_lanes.lane) \
         FROM due_lanes WHERE due_lanes.lane IS NOT NULL), \
         rung_lanes(lane) AS (SELECT MIN(lane) FROM jobs WHERE state = 'rung' UNION ALL \
         SELECT (SELECT MIN(jobs.lane) FROM jobs WHERE jobs.state = 'rung' AND jobs.lane > rung_lanes.lane) \
         FROM rung_lanes WHERE rung_lanes.lane IS NOT NULL), \
         lanes(lane) AS (SELECT lane FROM due_lanes WHERE lane IS NOT NULL \
         UNION SELECT lane FROM rung_lanes WHERE lane IS NOT NULL) \
         SELECT lane, (SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE jobs.state = 'due' \
         AND jobs.lane = lanes.lane AND jobs.due_at <= ",
    )
    .bind(now)
    .then(" LIMIT ")
    .bind(COUNTED)
    .then(
        ") AS counted) AS due, (SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE jobs.state = 'rung' \
         AND jobs.lane = lanes.lane LIMIT ",
    )
    .bind(COUNTED)
    .then(") AS counted) AS rung FROM lanes ORDER BY lane")
    .all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LaneDue {
            lane: row.lane,
            due: u64::try_from(row.due).unwrap_or_default(),
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
    let rows: Vec<QueuedRow> = Sql::new(
        conn,
        "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'rung' AND lane = ",
    )
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
    .then(" WHERE id IN (SELECT id FROM picked)")
    .then(RETURNING_QUEUED)
    .all(conn)
    .await?;
    rows.into_iter().map(|row| row.queued(true)).collect()
}

/// Rings the checks of these connections that are due, or that were rung before `rung_before` and are still not claimed: at most one each.
pub async fn take_checks(
    conn: &impl ConnectionTrait,
    connections: &[String],
    rung_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<QueuedJob>, StoreError> {
    let keys: Vec<String> = connections
        .iter()
        .map(|connection| ConnectionCheck::key(connection))
        .collect();
    let rows: Vec<QueuedRow> = Sql::new(
        conn,
        "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE finished_at IS NULL AND dedup_key",
    )
    .one_of(&keys)
    .then(" AND (state = 'due' AND due_at <= ")
    .bind(now)
    .then(" OR state = 'rung' AND rung_at < ")
    .bind(rung_before)
    .then(") AND kind")
    .one_of(&known_kinds())
    .postgres(" FOR UPDATE SKIP LOCKED")
    .then(") UPDATE jobs SET state = 'rung', rung_at = ")
    .bind(now)
    .then(", updated_at = ")
    .bind(now)
    .then(" WHERE id IN (SELECT id FROM picked)")
    .then(RETURNING_QUEUED)
    .all(conn)
    .await?;
    rows.into_iter().map(|row| row.queued(true)).collect()
}
