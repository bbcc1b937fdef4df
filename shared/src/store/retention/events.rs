//! Old events, and from where on a feed is whole since.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{PAGE, Page, held, number_behind};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx, events};

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    request_id: Uuid,
    created_at: DateTime<Utc>,
}

pub(super) async fn remove(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
) -> Result<Page, StoreError> {
    // No condition on `created_at`: numbers grow with time, so the page that comes to younger events is the last.
    let mut rows: Vec<Row> = Sql::new(
        tx,
        "SELECT seq, request_id, created_at FROM events WHERE seq > ",
    )
    .bind(number_behind(position)?)
    .then(" ORDER BY seq LIMIT ")
    .bind(PAGE)
    .all(tx)
    .await?;
    let full = i64::try_from(rows.len()) == Ok(PAGE);
    let last = rows.last().filter(|row| full && row.created_at < limit);
    let next = last.map(|row| row.seq.to_string());
    rows.retain(|row| row.created_at < limit);
    let held = held::among(tx, rows.iter().map(|row| row.request_id)).await?;
    rows.retain(|row| !held.contains(&row.request_id));
    let old: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let removed = events::remove(tx, &old).await?;
    Ok(Page { removed, next })
}
