//! Old reports of comparisons. The newest of each table stays, however old: whoever asks what was found last still hears it.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{PAGE, Page, first_id, id_behind};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
}

pub(super) async fn remove(
    tx: &Tx,
    position: Option<&str>,
    limit: DateTime<Utc>,
) -> Result<Page, StoreError> {
    let rows: Vec<Row> = Sql::new(tx, "SELECT id FROM drift_reports WHERE id > ")
        .bind(id_behind(position)?)
        .then(" AND id < ")
        .bind(first_id(limit))
        .then(" ORDER BY id LIMIT ")
        .bind(PAGE)
        .all(tx)
        .await?;
    let full = i64::try_from(rows.len()) == Ok(PAGE);
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    let old: Vec<Uuid> = rows.into_iter().map(|row| row.id).collect();
    let removed = if old.is_empty() {
        0
    } else {
        Sql::new(tx, "DELETE FROM drift_reports WHERE id")
            .one_of(&old)
            .then(
                " AND EXISTS (SELECT 1 FROM drift_reports AS later WHERE later.connection = drift_reports.connection \
                 AND later.table_name = drift_reports.table_name AND later.verdict IS NOT NULL \
                 AND later.started_at > drift_reports.started_at)",
            )
            .run(tx)
            .await?
    };
    Ok(Page { removed, next })
}
