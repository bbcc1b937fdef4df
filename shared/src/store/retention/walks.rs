//! How far each kind of old rows has been looked through. Whoever holds the row of a kind goes on; others leave it to them.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

/// A walk whose turn has come, held until the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Walk {
    /// Where it goes on; `None`: at the oldest row.
    pub position: Option<String>,
}

#[derive(FromQueryResult)]
struct Named {
    kind: String,
}

/// The kinds whose turn has come.
pub async fn due(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Named> = Sql::new(
        conn,
        "SELECT kind FROM retention_walks WHERE next_at IS NULL OR next_at <= ",
    )
    .bind(now)
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.kind).collect())
}

/// Takes the turn of a kind. `None` when somebody else has it or has just had it.
pub async fn take(tx: &Tx, kind: &str, now: DateTime<Utc>) -> Result<Option<Walk>, StoreError> {
    Sql::new(tx, "SELECT position FROM retention_walks WHERE kind = ")
        .bind(kind)
        .then(" AND (next_at IS NULL OR next_at <= ")
        .bind(now)
        .then(")")
        .postgres(" FOR UPDATE SKIP LOCKED")
        .one(tx)
        .await
}

/// Says where the walk goes on, and when; in the transaction that took the turn.
pub async fn leave(
    tx: &Tx,
    kind: &str,
    position: Option<&str>,
    next_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(tx, "UPDATE retention_walks SET position = ")
        .bind(position)
        .then(", next_at = ")
        .bind(next_at)
        .then(" WHERE kind = ")
        .bind(kind)
        .run(tx)
        .await?;
    Ok(())
}
