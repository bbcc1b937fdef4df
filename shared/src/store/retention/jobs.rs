//! Jobs that ended long ago.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{OVER, PAGE, Page, first_id, held, id_behind};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    request_id: Option<Uuid>,
    old: bool,
}

pub(super) async fn remove(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
) -> Result<Page, StoreError> {
    // What ended before the limit was stored before it, and the ids of later ones are above.
    let mut rows: Vec<Row> = Sql::new(tx, "SELECT id, request_id, (state IN ")
        .then(OVER)
        .then(" AND finished_at < ")
        .bind(limit)
        .then(") AS old FROM jobs WHERE id > ")
        .bind(id_behind(position)?)
        .then(" AND id < ")
        .bind(first_id(limit))
        .then(" ORDER BY id LIMIT ")
        .bind(PAGE)
        .all(tx)
        .await?;
    let full = i64::try_from(rows.len()) == Ok(PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    rows.retain(|row| row.old);
    let held = held::among(tx, rows.iter().filter_map(|row| row.request_id)).await?;
    rows.retain(|row| row.request_id.is_none_or(|id| !held.contains(&id)));
    let old: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    // One that was revived meanwhile stays.
    let removed = if old.is_empty() {
        0
    } else {
        Sql::new(tx, "DELETE FROM jobs WHERE id")
            .one_of(&old)
            .then(" AND state IN ")
            .then(OVER)
            .run(tx)
            .await?
    };
    Ok(Page { removed, next })
}
