//! People who operate the bridge: entered by an administrator, or by the first log-in through the identity provider.

mod admit;
mod refusals;
mod sessions;
mod sign_ins;
mod tokens;

pub use admit::{Admission, Identity, admit, refuse_identity, refuse_token, send_away};
pub use refusals::{MOST_REFUSALS, WAIT, forget_refusals, refuse, refused_until};
pub use sessions::{Session, close, close_all, open, session, sweep};
pub use sign_ins::{PATIENCE, begin_sign_in, sweep_sign_ins, take_sign_in};
pub use tokens::{
    OperatorToken, TokenCheck, authenticate, create_token, list_tokens, new_token, revoke_token,
};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::entities::operators::{Column, Entity, Model};
use super::sql::Sql;
use crate::operator::Role;

/// Somebody who operates the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Unique name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they log in with a password; otherwise through the identity provider, or with tokens only.
    pub has_password: bool,
    /// When they were entered.
    pub created_at: DateTime<Utc>,
    /// When role, password or access last changed.
    pub changed_at: DateTime<Utc>,
    /// When their access was taken away.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When they last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Who entered them, and decides about their role.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Where an operator comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Origin {
    /// An administrator, at the command line.
    Local,
    /// An identity provider, at each sign-in.
    Oidc {
        /// The provider.
        issuer: String,
        /// What never changes about them there.
        subject: String,
    },
}

impl Origin {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Oidc { .. } => "oidc",
        }
    }
}

/// What is changed of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorChange {
    /// What they may do.
    Role(Role),
    /// The hash of a new password (`crate::password`).
    Password(String),
    /// Whether they have access.
    Access(bool),
}

/// Enters an operator, with an audit entry; use a transaction. A name that is taken is a [`StoreError::Conflict`].
pub async fn create(
    conn: &impl ConnectionTrait,
    name: &str,
    role: Role,
    password_hash: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Operator, StoreError> {
    let row = Model {
        password: password_hash.map(str::to_owned),
        ..Model::new(name, role, now)
    };
    let detail = json!({ "password": password_hash.is_some() });
    enter(conn, row, detail, actor, now).await
}

async fn enter(
    conn: &impl ConnectionTrait,
    row: Model,
    detail: Json,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Operator, StoreError> {
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(conn)
        .await?;
    let to = (None, Some(row.role.as_str()));
    tell(conn, "operator.created", &row.name, to, detail, actor, now).await?;
    Operator::try_from(row)
}

/// Changes an operator, with an audit entry, and ends their sessions, so that what they had is not what they have; use a transaction.
/// `None` when there is no such operator.
pub async fn change(
    conn: &impl ConnectionTrait,
    name: &str,
    change: &OperatorChange,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<Operator>, StoreError> {
    let Some(before) = find(conn, name).await? else {
        return Ok(None);
    };
    let set = Sql::new(conn, "UPDATE operators SET changed_at = ").bind(now);
    let set = match change {
        OperatorChange::Role(role) => set.then(", role = ").bind(role.as_str()),
        OperatorChange::Password(hash) => set.then(", password = ").bind(hash.as_str()),
        OperatorChange::Access(true) => set.then(", disabled_at = NULL"),
        OperatorChange::Access(false) => set.then(", disabled_at = ").bind(now),
    };
    set.then(" WHERE name = ").bind(name).run(conn).await?;
    close_all(conn, name).await?;
    let word = |has_access: bool| if has_access { "on" } else { "off" };
    let (action, from_to) = match change {
        OperatorChange::Role(role) => (
            "operator.role",
            (Some(before.role.as_str()), Some(role.as_str())),
        ),
        OperatorChange::Password(_) => ("operator.password", (None, None)),
        OperatorChange::Access(on) => (
            "operator.access",
            (Some(word(before.disabled_at.is_none())), Some(word(*on))),
        ),
    };
    tell(conn, action, name, from_to, Json::Null, actor, now).await?;
    find(conn, name).await
}

/// The operator of that name.
pub async fn find(conn: &impl ConnectionTrait, name: &str) -> Result<Option<Operator>, StoreError> {
    let row = Entity::find_by_id(name.to_owned()).one(conn).await?;
    row.map(Operator::try_from).transpose()
}

/// What is stored of the password of an operator who has access and one.
pub async fn password_hash(
    conn: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let row = Entity::find_by_id(name.to_owned()).one(conn).await?;
    Ok(row
        .filter(|row| row.disabled_at.is_none())
        .and_then(|row| row.password))
}

/// Every operator, by name.
pub async fn list(conn: &impl ConnectionTrait) -> Result<Vec<Operator>, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Name).all(conn).await?;
    rows.into_iter().map(Operator::try_from).collect()
}

/// Writes that they logged in, with an audit entry; use a transaction.
pub async fn logged_in(
    conn: &impl ConnectionTrait,
    name: &str,
    address: &str,
    way: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE operators SET last_login_at = ")
        .bind(now)
        .then(" WHERE name = ")
        .bind(name)
        .run(conn)
        .await?;
    let detail = json!({ "address": address, "way": way });
    let actor = Actor::Operator(name.to_owned());
    tell(
        conn,
        "operator.login",
        name,
        (None, None),
        detail,
        &actor,
        now,
    )
    .await
}

/// A role as stored.
fn role(word: &str) -> Result<Role, StoreError> {
    word.parse()
        .map_err(|error| StoreError::corrupt("role", error))
}

async fn tell(
    conn: &impl ConnectionTrait,
    action: &str,
    name: &str,
    (from, to): (Option<&str>, Option<&str>),
    detail: Json,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "operator",
        subject_id: name,
        from,
        to,
        reason: None,
        detail,
    };
    audit::append(conn, &entry, now).await
}

impl Model {
    /// Somebody new who has neither a password nor a provider.
    fn new(name: &str, role: Role, now: DateTime<Utc>) -> Self {
        Self {
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            password: None,
            created_at: now,
            changed_at: now,
            disabled_at: None,
            last_login_at: None,
            issuer: None,
            subject: None,
        }
    }
}

impl TryFrom<Model> for Operator {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let role = role(&row.role)?;
        Ok(Self {
            name: row.name,
            role,
            has_password: row.password.is_some(),
            created_at: row.created_at,
            changed_at: row.changed_at,
            disabled_at: row.disabled_at,
            last_login_at: row.last_login_at,
            origin: match (row.issuer, row.subject) {
                (Some(issuer), Some(subject)) => Origin::Oidc { issuer, subject },
                _ => Origin::Local,
            },
        })
    }
}
