//! Tokens of operators, for the command line and for scripts. A token is shown once; only its SHA-256 is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::CryptoRng;
use sea_orm::{ConnectionTrait, FromQueryResult};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Session, role, tell};
use crate::store::audit::Actor;
use crate::store::sql::Sql;
use crate::store::{StoreError, new_id};

/// How exactly the last use is remembered.
const USE_GRAIN: TimeDelta = TimeDelta::minutes(1);
/// A token that has no end of its own.
const FAR: TimeDelta = TimeDelta::days(36_500);

/// A stored token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult)]
pub struct OperatorToken {
    /// Its id, used to revoke it.
    pub id: Uuid,
    /// Whose it is.
    pub operator: String,
    /// What people call it.
    pub label: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops to be good.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Good {
    id: Uuid,
    operator: String,
    role: String,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

/// The text of a new token: `tbo_` and 32 random bytes in base64url.
pub fn new_token(rng: &mut impl CryptoRng) -> SecretString {
    let mut bytes = [0_u8; 32];
    rng.fill_bytes(&mut bytes);
    SecretString::from(format!("tbo_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Stores a token by its hash (`sources::hash`), with an audit entry; use a transaction.
pub async fn create_token(
    conn: &impl ConnectionTrait,
    operator: &str,
    label: &str,
    hash: &[u8; 32],
    expires_at: Option<DateTime<Utc>>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Uuid, StoreError> {
    let id = new_id(now);
    Sql::new(
        conn,
        "INSERT INTO operator_tokens (id, operator, label, hash, created_at, expires_at) VALUES (",
    )
    .bind(id)
    .then(", ")
    .bind(operator)
    .then(", ")
    .bind(label)
    .then(", ")
    .bind(hash.to_vec())
    .then(", ")
    .bind(now)
    .then(", ")
    .bind(expires_at)
    .then(")")
    .run(conn)
    .await?;
    let detail = json!({ "token": id, "label": label, "expires_at": expires_at });
    tell(
        conn,
        "operator.token",
        operator,
        (None, None),
        detail,
        actor,
        now,
    )
    .await?;
    Ok(id)
}

/// Whose token it is, as if they had a session, when it is neither revoked nor expired and its operator has access.
pub async fn authenticate(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Session>, StoreError> {
    let row: Option<Good> = Sql::new(
        conn,
        "SELECT id, operator, role, expires_at, last_used_at FROM operator_tokens JOIN operators ON operators.name = operator \
         WHERE revoked_at IS NULL AND disabled_at IS NULL AND hash = ",
    )
    .bind(hash.to_vec())
    .one(conn)
    .await?;
    let Some(row) = row.filter(|row| row.expires_at.is_none_or(|end| end > now)) else {
        return Ok(None);
    };
    if row.last_used_at.is_none_or(|used| now - used >= USE_GRAIN) {
        Sql::new(conn, "UPDATE operator_tokens SET last_used_at = ")
            .bind(now)
            .then(" WHERE id = ")
            .bind(row.id)
            .run(conn)
            .await?;
    }
    let role = role(&row.role)?;
    Ok(Some(Session {
        operator: row.operator,
        role,
        expires_at: row.expires_at.unwrap_or(now + FAR),
    }))
}

/// Every token, by operator and age.
pub async fn list_tokens(conn: &impl ConnectionTrait) -> Result<Vec<OperatorToken>, StoreError> {
    Sql::new(
        conn,
        "SELECT id, operator, label, created_at, expires_at, revoked_at, last_used_at FROM operator_tokens \
         ORDER BY operator, created_at, id",
    )
    .all(conn)
    .await
}

/// Revokes a token, with an audit entry; use a transaction. False when there is none, or it was revoked before.
pub async fn revoke_token(
    conn: &impl ConnectionTrait,
    id: Uuid,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let whose: Option<Whose> = Sql::new(conn, "UPDATE operator_tokens SET revoked_at = ")
        .bind(now)
        .then(" WHERE revoked_at IS NULL AND id = ")
        .bind(id)
        .then(" RETURNING operator")
        .one(conn)
        .await?;
    let Some(whose) = whose else {
        return Ok(false);
    };
    let detail = json!({ "token": id });
    let name = &whose.operator;
    tell(
        conn,
        "operator.token_revoked",
        name,
        (None, None),
        detail,
        actor,
        now,
    )
    .await?;
    Ok(true)
}

#[derive(FromQueryResult)]
struct Whose {
    operator: String,
}
