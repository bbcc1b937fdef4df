//! Sign-ins through the identity provider that are under way. Any scheduler may end what another has begun; each counts once.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::store::StoreError;
use crate::store::sql::Sql;

/// How long somebody may take at the provider.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

#[derive(FromQueryResult)]
struct Row {
    next: String,
    expires_at: DateTime<Utc>,
}

/// Remembers a sign-in by the hash of the browser's secret; `next` is where it leads.
pub async fn begin_sign_in(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    next: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(
        conn,
        "INSERT INTO sign_ins (hash, next, expires_at) VALUES (",
    )
    .bind(hash.to_vec())
    .then(", ")
    .bind(next)
    .then(", ")
    .bind(now + PATIENCE)
    .then(")")
    .run(conn)
    .await?;
    Ok(())
}

/// Takes a sign-in, so that nobody takes it again; where it leads. `None` when it was taken before, or took too long.
pub async fn take_sign_in(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let row: Option<Row> = Sql::new(conn, "DELETE FROM sign_ins WHERE hash = ")
        .bind(hash.to_vec())
        .then(" RETURNING next, expires_at")
        .one(conn)
        .await?;
    Ok(row.filter(|row| row.expires_at > now).map(|row| row.next))
}

/// Removes sign-ins that took too long; how many.
pub async fn sweep_sign_ins(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    Sql::new(conn, "DELETE FROM sign_ins WHERE expires_at <= ")
        .bind(now)
        .run(conn)
        .await
}
