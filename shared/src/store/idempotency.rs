//! `Idempotency-Key`: the same key with the same call gives the same answer, with another call a conflict.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::StoreError;
use super::sql::Sql;

/// What a key was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// Not before; it is remembered now.
    New,
    /// For the same call, which led to this request.
    Same(Uuid),
    /// For another call, which led to this request.
    Different(Uuid),
}

#[derive(FromQueryResult)]
struct Row {
    fingerprint: Vec<u8>,
    request_id: Uuid,
}

/// Remembers that `key` of `source` led to `request_id`, in the same transaction as the request.
///
/// A second call with the key waits until the first has committed or gone.
pub async fn remember(
    conn: &impl ConnectionTrait,
    source: &str,
    key: &str,
    fingerprint: &[u8],
    request_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Remembered, StoreError> {
    let inserted = Sql::new(
        conn,
        "INSERT INTO idempotency_keys (source, idempotency_key, fingerprint, request_id, created_at) VALUES (",
    )
    .bind(source)
    .then(", ")
    .bind(key)
    .then(", ")
    .bind(fingerprint)
    .then(", ")
    .bind(request_id)
    .then(", ")
    .bind(now)
    .then(") ON CONFLICT (source, idempotency_key) DO NOTHING")
    .run(conn)
    .await?;
    if inserted == 1 {
        return Ok(Remembered::New);
    }
    find(conn, source, key, fingerprint).await?.ok_or_else(|| {
        // Between the two statements the sweeper can have deleted an old key; the caller's retry inserts it anew.
        StoreError::Conflict {
            constraint: "idempotency_keys".to_owned(),
        }
    })
}

/// What `key` of `source` was used for; `None` when it was not used.
pub async fn find(
    conn: &impl ConnectionTrait,
    source: &str,
    key: &str,
    fingerprint: &[u8],
) -> Result<Option<Remembered>, StoreError> {
    let row: Option<Row> = Sql::new(
        conn,
        "SELECT fingerprint, request_id FROM idempotency_keys WHERE source = ",
    )
    .bind(source)
    .then(" AND idempotency_key = ")
    .bind(key)
    .one(conn)
    .await?;
    Ok(row.map(|row| {
        if row.fingerprint == fingerprint {
            Remembered::Same(row.request_id)
        } else {
            Remembered::Different(row.request_id)
        }
    }))
}

/// Forgets keys that are older than `older_than`; how many.
pub async fn sweep(
    conn: &impl ConnectionTrait,
    older_than: DateTime<Utc>,
) -> Result<u64, StoreError> {
    Sql::new(conn, "DELETE FROM idempotency_keys WHERE created_at < ")
        .bind(older_than)
        .run(conn)
        .await
}
