//! Claims jobs: whoever gets a row back may run it, once, under the lease that comes with it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::job::{Claimed, Lease};
use crate::store::StoreError;
use crate::store::sql::Sql;
use crate::store::switches::LANE_IS_ON;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    kind: String,
    payload: Json,
    lane: String,
    connection: Option<String>,
    request_id: Option<Uuid>,
    attempts: i32,
    first_started_at: DateTime<Utc>,
    traceparent: Option<String>,
    lease_token: i64,
    worker_deaths: i32,
    sentence: Option<String>,
}

/// For this transaction alone; the sub-select is evaluated once, before the first row is looked at.
const SOON_ON_DISK: &str = " AND (SELECT set_config('synchronous_commit', 'off', TRUE)) = 'off'";

/// Claims those of `ids` that wait and are due, in one statement. The others have ended, run elsewhere, wait longer or are in a lane
/// that is paused.
///
/// Rows that another transaction has locked are waited for, not skipped: they are locked for a moment only, and a
/// skipped doorbell would be rung again only seconds later. Rows are locked by id, so two claims cannot deadlock.
///
/// The claim is answered before it is on PostgreSQL's disk. A server that loses its power a moment later forgets it, and the job
/// is claimed once more; whatever may not be sent twice has a mark of its own, which is on the disk, and with it all that was
/// written before it, when the send begins.
pub async fn claim(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
    owner: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = Sql::new(
        conn,
        "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE state IN ('due', 'rung') AND due_at <= ",
    )
    .bind(now)
    .then(" AND ")
    .then(LANE_IS_ON)
    .postgres(SOON_ON_DISK)
    .then(" AND id")
    .one_of(ids)
    .postgres(" ORDER BY id FOR UPDATE")
    .then(") UPDATE jobs SET state = 'running', again = FALSE, lease_owner = ")
    .bind(owner)
    .then(", lease_token = lease_token + 1, first_started_at = COALESCE(first_started_at, ")
    .bind(now)
    .then("), updated_at = ")
    .bind(now)
    .then(
        " WHERE state IN ('due', 'rung') AND id IN (SELECT id FROM picked) RETURNING id, kind, payload, lane, \
         connection, request_id, attempts, first_started_at, traceparent, lease_token, worker_deaths, sentence",
    )
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.claimed(owner)).collect())
}

/// Makes jobs due again that a claim of `owner` at `claimed_at` has taken although its answer was lost: nobody runs them, and as
/// long as the owner lives nobody else would take them for orphans.
pub async fn unclaim(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
    owner: &str,
    claimed_at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    Sql::new(
        conn,
        "UPDATE jobs SET state = 'due', rung_at = NULL WHERE state = 'running' AND lease_owner = ",
    )
    .bind(owner)
    .then(" AND updated_at = ")
    .bind(claimed_at)
    .then(" AND id")
    .one_of(ids)
    .run(conn)
    .await
}

impl Row {
    fn claimed(self, owner: &str) -> Claimed {
        Claimed {
            id: self.id,
            kind: self.kind,
            payload: self.payload,
            lane: self.lane,
            connection: self.connection,
            request_id: self.request_id,
            attempts: self.attempts,
            first_started_at: self.first_started_at,
            traceparent: self.traceparent,
            worker_deaths: self.worker_deaths,
            sentence: self.sentence,
            lease: Lease {
                owner: owner.to_owned(),
                token: self.lease_token,
            },
        }
    }
}
