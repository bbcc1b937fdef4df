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
use crate::store::audit::{self, Actor, Entry};
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

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenCheck {
    /// Everything that its operator may, as if they had a session.
    Good(Session),
    /// Nothing: it is unknown, revoked or expired, or its operator has no access.
    Refused,
    /// Nothing until its operator, whose role an identity provider gives, signs in again.
    SignInTooOld {
        /// Whose it is.
        operator: String,
    },
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
    operator: String,
    role: String,
    issuer: Option<String>,
    last_login_at: Option<DateTime<Utc>>,
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

/// What a token opens. An operator of an identity provider may what the last sign-in gave them, and for `vouched` after it: nobody tells us
/// when the provider takes a role away.
pub async fn authenticate(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    vouched: TimeDelta,
    now: DateTime<Utc>,
) -> Result<TokenCheck, StoreError> {
    let row: Option<Found> = Sql::new(
        conn,
        "SELECT id, operator, role, issuer, last_login_at, expires_at, last_used_at FROM operator_tokens \
         JOIN operators ON operators.name = operator WHERE revoked_at IS NULL AND disabled_at IS NULL AND hash = ",
    )
    .bind(hash.to_vec())
    .one(conn)
    .await?;
    let Some(row) = row.filter(|row| row.expires_at.is_none_or(|end| end > now)) else {
        return Ok(TokenCheck::Refused);
    };
    let mut expires_at = row.expires_at.unwrap_or(now + FAR);
    if row.issuer.is_some() {
        let end = row.last_login_at.map(|at| at + vouched);
        let Some(end) = end.filter(|end| *end > now) else {
            return Ok(TokenCheck::SignInTooOld {
                operator: row.operator,
            });
        };
        expires_at = expires_at.min(end);
    }
    if row.last_used_at.is_none_or(|used| now - used >= USE_GRAIN) {
        Sql::new(conn, "UPDATE operator_tokens SET last_used_at = ")
            .bind(now)
            .then(" WHERE id = ")
            .bind(row.id)
            .run(conn)
            .await?;
    }
    let role = role(&row.role)?;
    Ok(TokenCheck::Good(Session {
        operator: row.operator,
        role,
        expires_at,
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
    revoked(conn, &whose.operator, id, None, actor, now).await?;
    Ok(true)
}

/// Revokes every token of an operator that is not revoked yet, with an audit entry each; use a transaction. How many.
pub(super) async fn revoke_all(
    conn: &impl ConnectionTrait,
    operator: &str,
    reason: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let which: Vec<Which> = Sql::new(conn, "UPDATE operator_tokens SET revoked_at = ")
        .bind(now)
        .then(" WHERE revoked_at IS NULL AND operator = ")
        .bind(operator)
        .then(" RETURNING id")
        .all(conn)
        .await?;
    for token in &which {
        revoked(conn, operator, token.id, Some(reason), actor, now).await?;
    }
    Ok(which.len())
}

async fn revoked(
    conn: &impl ConnectionTrait,
    operator: &str,
    id: Uuid,
    reason: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor,
        action: "operator.token_revoked",
        subject_kind: "operator",
        subject_id: operator,
        from: None,
        to: None,
        reason,
        detail: json!({ "token": id }),
    };
    audit::append(conn, &entry, now).await
}

#[derive(FromQueryResult)]
struct Whose {
    operator: String,
}

#[derive(FromQueryResult)]
struct Which {
    id: Uuid,
}
