//! Since when the credential of a connection works, or no longer does (N13). The credential itself is not stored.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value as Json, json};

use super::StoreError;
use super::audit;
use super::entities::credentials::Entity;
use super::sql::Sql;

/// What is known of the credential of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// When this refresh token, by its fingerprint, was first seen to work; of other credentials, when any was.
    pub first_worked_at: Option<DateTime<Utc>>,
    /// When it was last seen to work.
    pub last_worked_at: Option<DateTime<Utc>>,
    /// Refusals since it last began to work.
    pub refused: i64,
    /// Since when it is refused.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What a worker saw of it since it looked last.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Name of the connection.
    pub connection: &'a str,
    /// Tells one refresh token from the next; empty for other credentials.
    pub fingerprint: &'a str,
    /// When it was last accepted.
    pub worked_at: Option<DateTime<Utc>>,
    /// When it was last refused.
    pub refused_at: Option<DateTime<Utc>>,
    /// Further refusals.
    pub refused: i64,
}

/// Adds what was seen to what is known. The first refusal after a success, and the first success after a refusal, write an
/// audit entry, whatever the number of workers. Several statements: use a transaction.
pub async fn note(
    conn: &impl ConnectionTrait,
    seen: &Seen<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    remember(conn, seen).await?;
    if let Some(refused_at) = seen.refused_at
        && begins_to_fail(conn, seen.connection, refused_at).await?
    {
        let reason = "the instance refuses the credential";
        audit::append_on_connection(
            conn,
            seen.connection,
            "credential.refused",
            Some(reason),
            json!({ "since": refused_at }),
            now,
        )
        .await?;
    }
    if let Some(worked_at) = seen.worked_at
        && works_again(conn, seen.connection, worked_at).await?
    {
        audit::append_on_connection(
            conn,
            seen.connection,
            "credential.accepted",
            None,
            Json::Null,
            now,
        )
        .await?;
    }
    Ok(())
}

async fn remember(conn: &impl ConnectionTrait, seen: &Seen<'_>) -> Result<(), StoreError> {
    Sql::new(conn, "INSERT INTO credentials (connection, fingerprint, first_worked_at, last_worked_at, refused) VALUES (")
        .bind(seen.connection)
        .then(", ")
        .bind(seen.fingerprint)
        .then(", ")
        .bind(seen.worked_at)
        .then(", ")
        .bind(seen.worked_at)
        .then(", ")
        .bind(seen.refused)
        .then(
            ") ON CONFLICT (connection) DO UPDATE SET \
             first_worked_at = CASE WHEN credentials.fingerprint = excluded.fingerprint \
             THEN COALESCE(credentials.first_worked_at, excluded.first_worked_at) ELSE excluded.first_worked_at END, \
             last_worked_at = CASE WHEN credentials.last_worked_at IS NULL OR excluded.last_worked_at > credentials.last_worked_at \
             THEN excluded.last_worked_at ELSE credentials.last_worked_at END, \
             refused = credentials.refused + excluded.refused, fingerprint = excluded.fingerprint",
        )
        .run(conn)
        .await?;
    Ok(())
}

/// What another worker did successfully after our refusal speaks against it.
async fn begins_to_fail(
    conn: &impl ConnectionTrait,
    connection: &str,
    refused_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE credentials SET failing_since = ")
        .bind(refused_at)
        .then(" WHERE connection = ")
        .bind(connection)
        .then(" AND failing_since IS NULL AND (last_worked_at IS NULL OR last_worked_at < ")
        .bind(refused_at)
        .then(")")
        .run(conn)
        .await?;
    Ok(touched == 1)
}

async fn works_again(
    conn: &impl ConnectionTrait,
    connection: &str,
    worked_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(
        conn,
        "UPDATE credentials SET failing_since = NULL, refused = 0 WHERE connection = ",
    )
    .bind(connection)
    .then(" AND failing_since < ")
    .bind(worked_at)
    .run(conn)
    .await?;
    Ok(touched == 1)
}

/// Enters the threshold that the days left have fallen below; `None` while they are above all. True when it is news: the one
/// who hears that warns.
pub async fn crossed(
    conn: &impl ConnectionTrait,
    connection: &str,
    threshold: Option<i32>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE credentials SET warned_days = ")
        .bind(threshold)
        .then(" WHERE connection = ")
        .bind(connection)
        .then(" AND warned_days IS DISTINCT FROM ")
        .bind(threshold)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// What is known; `None` while no worker has looked.
pub async fn get(
    conn: &impl ConnectionTrait,
    connection: &str,
) -> Result<Option<Credential>, StoreError> {
    let row = Entity::find_by_id(connection.to_owned()).one(conn).await?;
    Ok(row.map(|row| Credential {
        first_worked_at: row.first_worked_at,
        last_worked_at: row.last_worked_at,
        refused: row.refused,
        failing_since: row.failing_since,
    }))
}
