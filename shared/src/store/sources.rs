//! Identity systems and their bearer tokens. A token is shown once; only its SHA-256 is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::CryptoRng;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use secrecy::SecretString;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entities::source_tokens::{Column, Entity, Model};
use super::sql::Sql;
use super::{StoreError, new_id};

/// How exactly the last use of a token is remembered: a write per call would cost more than it tells.
const USE_GRAIN: TimeDelta = TimeDelta::minutes(1);

/// A stored token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// Its id, used to revoke it.
    pub id: Uuid,
    /// The source it speaks for.
    pub source: String,
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

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The source.
    pub source: String,
    /// The token.
    pub token_id: Uuid,
}

/// The text of a new token: `tb_` and 32 random bytes in base64url.
pub fn new_token(rng: &mut impl CryptoRng) -> SecretString {
    let mut bytes = [0_u8; 32];
    rng.fill_bytes(&mut bytes);
    SecretString::from(format!("tb_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What is stored of a token. Tokens are random, so a plain hash is enough: there is nothing to guess.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Stores a token by its hash; the source is entered when it is new. Two statements: use a transaction.
pub async fn create_token(
    conn: &impl ConnectionTrait,
    source: &str,
    label: &str,
    hash: &[u8; 32],
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<TokenRow, StoreError> {
    Sql::new(conn, "INSERT INTO sources (name, created_at) VALUES (")
        .bind(source)
        .then(", ")
        .bind(now)
        .then(") ON CONFLICT (name) DO NOTHING")
        .run(conn)
        .await?;
    let row = Model {
        id: new_id(now),
        source: source.to_owned(),
        label: label.to_owned(),
        hash: hash.to_vec(),
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(conn)
        .await?;
    Ok(TokenRow::from(row))
}

/// The source of a token that is neither revoked nor expired.
pub async fn authenticate(
    conn: &impl ConnectionTrait,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Authenticated>, StoreError> {
    let Some(row) = Entity::find()
        .filter(Column::Hash.eq(hash.to_vec()))
        .one(conn)
        .await?
    else {
        return Ok(None);
    };
    if row.revoked_at.is_some() || row.expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    if row.last_used_at.is_none_or(|used| now - used >= USE_GRAIN) {
        Sql::new(conn, "UPDATE source_tokens SET last_used_at = ")
            .bind(now)
            .then(" WHERE id = ")
            .bind(row.id)
            .run(conn)
            .await?;
    }
    Ok(Some(Authenticated {
        source: row.source,
        token_id: row.id,
    }))
}

/// Every token, by source and age.
pub async fn list_tokens(conn: &impl ConnectionTrait) -> Result<Vec<TokenRow>, StoreError> {
    let rows = Entity::find()
        .order_by_asc(Column::Source)
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(TokenRow::from).collect())
}

/// Revokes a token. False when there is none, or it was revoked before.
pub async fn revoke_token(
    conn: &impl ConnectionTrait,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE source_tokens SET revoked_at = ")
        .bind(now)
        .then(" WHERE revoked_at IS NULL AND id = ")
        .bind(id)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

impl From<Model> for TokenRow {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            source: row.source,
            label: row.label,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}
