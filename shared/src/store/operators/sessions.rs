//! Sessions of the console. The cookie holds 32 random bytes, of which only the SHA-256 is stored.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::role;
use crate::operator::Role;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// How exactly the last use of a session is remembered: a write per page would cost more than it tells.
const SEEN_GRAIN: TimeDelta = TimeDelta::minutes(1);

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub operator: String,
    /// What they may do now.
    pub role: Role,
    /// When it ends, whatever they do.
    pub expires_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Row {
    operator: String,
    role: String,
    seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Opens a session.
pub async fn open(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    operator: &str,
    address: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(
        conn,
        "INSERT INTO operator_sessions (hash, operator, address, created_at, seen_at, expires_at) VALUES (",
    )
    .bind(hash.to_vec())
    .then(", ")
    .bind(operator)
    .then(", ")
    .bind(address)
    .then(", ")
    .bind(now)
    .then(", ")
    .bind(now)
    .then(", ")
    .bind(expires_at)
    .then(")")
    .run(conn)
    .await?;
    Ok(())
}

/// The session of a cookie, unless it has expired, was not used for `idle`, or its operator has lost access.
pub async fn session(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    idle: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<Session>, StoreError> {
    let row: Option<Row> = Sql::new(
        conn,
        "SELECT operator, role, seen_at, expires_at FROM operator_sessions JOIN operators ON operators.name = operator \
         WHERE disabled_at IS NULL AND expires_at > ",
    )
    .bind(now)
    .then(" AND seen_at > ")
    .bind(now - idle)
    .then(" AND hash = ")
    .bind(hash.to_vec())
    .one(conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    if now - row.seen_at >= SEEN_GRAIN {
        Sql::new(conn, "UPDATE operator_sessions SET seen_at = ")
            .bind(now)
            .then(" WHERE hash = ")
            .bind(hash.to_vec())
            .run(conn)
            .await?;
    }
    let role = role(&row.role)?;
    Ok(Some(Session {
        operator: row.operator,
        role,
        expires_at: row.expires_at,
    }))
}

/// Ends a session.
pub async fn close(conn: &impl ConnectionTrait, hash: &[u8; 32]) -> Result<(), StoreError> {
    Sql::new(conn, "DELETE FROM operator_sessions WHERE hash = ")
        .bind(hash.to_vec())
        .run(conn)
        .await?;
    Ok(())
}

/// Ends every session of an operator; how many.
pub async fn close_all(conn: &impl ConnectionTrait, operator: &str) -> Result<u64, StoreError> {
    Sql::new(conn, "DELETE FROM operator_sessions WHERE operator = ")
        .bind(operator)
        .run(conn)
        .await
}

/// Removes sessions that have expired; how many.
pub async fn sweep(conn: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<u64, StoreError> {
    Sql::new(conn, "DELETE FROM operator_sessions WHERE expires_at <= ")
        .bind(now)
        .run(conn)
        .await
}
