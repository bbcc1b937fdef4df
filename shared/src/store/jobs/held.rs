//! Jobs that stand behind an open circuit: they call nobody before its time has come.

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::search::{JobFilter, is_few, matching};
use crate::store::StoreError;
use crate::store::sql::Sql;

/// Which jobs are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// Those of these ids.
    Ids(&'a [Uuid]),
    /// Those that match.
    Filter(&'a JobFilter),
}

#[derive(FromQueryResult)]
struct Counted {
    count: i64,
}

/// How many of these jobs a circuit holds, by its name: all of the connection, or those about a table of it. Counted up to `most`.
pub async fn count_held(
    conn: &impl ConnectionTrait,
    among: Among<'_>,
    circuit: &str,
    most: u64,
) -> Result<u64, StoreError> {
    let looked = match among {
        Among::Ids([]) => return Ok(0),
        Among::Ids(ids) => Sql::new(conn, "WITH looked AS (SELECT * FROM jobs WHERE id")
            .one_of(ids)
            .then(") SELECT 1 FROM looked WHERE TRUE"),
        Among::Filter(filter) => {
            let narrow = is_few(conn, filter).await?;
            matching(conn, "SELECT 1", filter, narrow, None, None)
        }
    };
    let counted: Option<Counted> = Sql::new(conn, "SELECT COUNT(*) AS count FROM (")
        .nest(held(looked, circuit))
        .then(" LIMIT ")
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .then(") AS counted")
        .one(conn)
        .await?;
    Ok(counted.map_or(0, |row| row.count.unsigned_abs()))
}

/// A job is about a table by the ticket of its request, or by the key of the cadence that it is part of.
fn held(looked: Sql, circuit: &str) -> Sql {
    let (connection, table) = match circuit.split_once('/') {
        Some((connection, table)) => (connection, Some(table)),
        None => (circuit, None),
    };
    let looked = looked.then(" AND connection = ").bind(connection);
    let Some(table) = table else {
        return looked;
    };
    let keys = ["changes", "reconcile", "drift"].map(|kind| format!("{kind}:{connection}:{table}"));
    looked
        .then(" AND (EXISTS (SELECT 1 FROM tickets WHERE tickets.request_id = looked.request_id AND tickets.table_name = ")
        .bind(table)
        .then(") OR dedup_key")
        .one_of(&keys)
        .then(")")
}
