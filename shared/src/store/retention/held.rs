//! Requests of which nothing may go.

use std::collections::HashSet;

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{ENDED, OVER};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

#[derive(FromQueryResult)]
pub(super) struct Named {
    pub(super) id: Uuid,
}

/// Those of `requests` that have not ended, or have a job that has not.
///
/// Asked for the ids of a page, not as a condition of the page: PostgreSQL would read all requests there are to answer that at once.
pub(super) async fn among(
    tx: &Tx,
    requests: impl Iterator<Item = Uuid>,
) -> Result<HashSet<Uuid>, StoreError> {
    let ids: HashSet<Uuid> = requests.collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let found: Vec<Named> = Sql::new(tx, "SELECT id FROM requests WHERE id")
        .one_of(&ids)
        .then(" AND state NOT IN ")
        .then(ENDED)
        .then(" UNION SELECT request_id AS id FROM jobs WHERE request_id")
        .one_of(&ids)
        .then(" AND state NOT IN ")
        .then(OVER)
        .all(tx)
        .await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}
