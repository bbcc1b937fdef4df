//! Counts what waits when a minute ends.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::rows::{Backlog, Row, put_backlog};
use super::{ALL, MINUTE, begin_of};
use crate::job::JobState;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError, jobs};

#[derive(FromQueryResult)]
struct Counted {
    #[expect(dead_code, reason = "that it is there is the answer")]
    minute: DateTime<Utc>,
}

/// Counts what waits, as the end of the minute that is over last, unless somebody has done so already. Whether it did.
pub async fn count(store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let minute = begin_of(now, 1) - MINUTE;
    let conn = store.conn();
    let counted: Option<Counted> = Sql::new(
        conn,
        "SELECT minute FROM minutes WHERE counted_at IS NOT NULL AND minute = ",
    )
    .bind(minute)
    .one(conn)
    .await?;
    if counted.is_some() {
        return Ok(false);
    }
    let mut lanes = BTreeMap::from([(ALL.to_owned(), Backlog::default())]);
    for it in jobs::counts(conn).await? {
        if !matches!(it.state, JobState::Due | JobState::Rung) {
            continue;
        }
        let age = it.oldest.map(|due| (now - due).num_milliseconds().max(0));
        for lane in [ALL, &it.lane] {
            let backlog = lanes.entry(lane.to_owned()).or_default();
            backlog.waiting += it.count;
            backlog.oldest_ms = backlog.oldest_ms.max(age.map_or(0, i64::unsigned_abs));
        }
    }
    let tx = store.begin().await?;
    let first = Sql::new(&tx, "INSERT INTO minutes (minute, counted_at) VALUES (")
        .bind(minute)
        .then(", ")
        .bind(now)
        .then(
            ") ON CONFLICT (minute) DO UPDATE SET counted_at = excluded.counted_at \
             WHERE minutes.counted_at IS NULL",
        )
        .run(&tx)
        .await?;
    if first == 0 {
        return Ok(false);
    }
    let rows: Vec<Row> = lanes
        .into_iter()
        .map(|(lane, backlog)| Row::of_backlog(lane, minute, backlog))
        .collect();
    put_backlog(&tx, &rows).await?;
    tx.commit().await?;
    Ok(true)
}
