//! Old audit entries: all of them on SQLite; on PostgreSQL those that lie in no month of their own.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{PAGE, Page, held, number_behind};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    at: DateTime<Utc>,
    subject_kind: String,
    subject_id: String,
}

impl Row {
    fn request(&self) -> Option<Uuid> {
        let id = (self.subject_kind == "request").then(|| self.subject_id.parse().ok());
        id.flatten()
    }
}

pub(super) async fn remove(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
) -> Result<Page, StoreError> {
    // No condition on `at`: ids grow with time, so the page that comes to younger entries is the last, and no more are read.
    let mut rows: Vec<Row> = Sql::new(
        tx,
        "SELECT id, at, subject_kind, subject_id FROM audit_entries WHERE id > ",
    )
    .bind(number_behind(position)?)
    .then(" ORDER BY id LIMIT ")
    .bind(PAGE)
    .all(tx)
    .await?;
    let full = i64::try_from(rows.len()) == Ok(PAGE);
    let last = rows.last().filter(|row| full && row.at < limit);
    let next = last.map(|row| row.id.to_string());
    rows.retain(|row| row.at < limit);
    let held = held::among(tx, rows.iter().filter_map(Row::request)).await?;
    let free = |row: &&Row| row.request().is_none_or(|id| !held.contains(&id));
    let old: Vec<i64> = rows.iter().filter(free).map(|row| row.id).collect();
    let removed = if old.is_empty() {
        0
    } else {
        Sql::new(tx, "DELETE FROM audit_entries WHERE at < ")
            .bind(limit)
            .then(" AND id")
            .one_of(&old)
            .run(tx)
            .await?
    };
    Ok(Page { removed, next })
}
