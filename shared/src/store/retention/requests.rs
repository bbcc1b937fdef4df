//! Requests that ended long ago, with ticket, notes, events, jobs and runs. Their audit trail has limits of its own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::held::Named;
use super::{ENDED, Limits, OVER, Page, REQUESTS_A_PAGE, first_id, id_behind};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx, events};

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    old: bool,
}

#[derive(FromQueryResult)]
struct Event {
    seq: i64,
}

pub(super) async fn remove(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
    limits: &Limits,
) -> Result<Page, StoreError> {
    let rows = page(tx, position, limit).await?;
    let full = i64::try_from(rows.len()) == Ok(REQUESTS_A_PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    let old = rows.iter().filter(|row| row.old).map(|row| row.id);
    let mut ids = hold(tx, &old.collect::<Vec<_>>(), limit).await?;
    // Asked while they are held: what is said of one now waits until it is gone, or has been seen.
    let wanted = wanted(tx, &ids, limits).await?;
    ids.retain(|id| !wanted.contains(id));
    let removed = if ids.is_empty() {
        0
    } else {
        remove_all(tx, &ids).await?
    };
    Ok(Page { removed, next })
}

/// The next requests, and whether each has ended long ago.
async fn page(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
) -> Result<Vec<Row>, StoreError> {
    Sql::new(tx, "SELECT id, (state IN ")
        .then(ENDED)
        .then(" AND updated_at < ")
        .bind(limit)
        .then(") AS old FROM requests WHERE id > ")
        .bind(id_behind(position)?)
        .then(" AND id < ")
        .bind(first_id(limit))
        .then(" ORDER BY id LIMIT ")
        .bind(REQUESTS_A_PAGE)
        .all(tx)
        .await
}

/// Those of `ids` that stay: something is under way for them, somebody may still want a dead job of them revived, or a key names them.
async fn wanted(tx: &Tx, ids: &[Uuid], limits: &Limits) -> Result<HashSet<Uuid>, StoreError> {
    let mut of_jobs = Sql::new(tx, "SELECT request_id AS id FROM jobs WHERE request_id")
        .one_of(ids)
        .then(" AND (state NOT IN ")
        .then(OVER)
        .then(" OR (state = 'dead'");
    if let Some(dead) = limits.jobs {
        of_jobs = of_jobs.then(" AND finished_at >= ").bind(dead);
    }
    let of_jobs: Vec<Named> = of_jobs.then("))").all(tx).await?;
    let of_keys: Vec<Named> = Sql::new(
        tx,
        "SELECT request_id AS id FROM idempotency_keys WHERE request_id",
    )
    .one_of(ids)
    .then(" AND created_at >= ")
    .bind(limits.keys)
    .all(tx)
    .await?;
    Ok(of_jobs
        .into_iter()
        .chain(of_keys)
        .map(|row| row.id)
        .collect())
}

/// Those of `ids` that nobody else is at, locked: what is at work on one of them is waited for in the next walk.
async fn hold(tx: &Tx, ids: &[Uuid], limit: DateTime<Utc>) -> Result<Vec<Uuid>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Named> = Sql::new(
        tx,
        "SELECT requests.id FROM tickets JOIN requests ON requests.id = tickets.request_id WHERE tickets.request_id",
    )
    .one_of(ids)
    .then(" AND requests.updated_at < ")
    .bind(limit)
    .postgres(" FOR UPDATE OF tickets, requests SKIP LOCKED")
    .all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn remove_all(tx: &Tx, ids: &[Uuid]) -> Result<u64, StoreError> {
    let told: Vec<Event> = Sql::new(tx, "SELECT seq FROM events WHERE request_id")
        .one_of(ids)
        .all(tx)
        .await?;
    let told: Vec<i64> = told.into_iter().map(|event| event.seq).collect();
    events::remove(tx, &told).await?;
    for table in ["attempts", "jobs"] {
        Sql::new(tx, "DELETE FROM ")
            .then(table)
            .then(" WHERE request_id")
            .one_of(ids)
            .run(tx)
            .await?;
    }
    // Ticket and notes go with the row they belong to.
    Sql::new(tx, "DELETE FROM requests WHERE id")
        .one_of(ids)
        .run(tx)
        .await
}
