//! Operators of an identity provider: entered at their first sign-in, with the role that the provider gives them at each.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::{Value as Json, json};

use super::tokens::revoke_all;
use super::{Operator, OperatorChange, change, close_all, enter, find};
use crate::operator::Role;
use crate::store::StoreError;
use crate::store::audit::{self, Actor, Entry};
use crate::store::entities::operators::{Column, Entity, Model};

const ACTOR: Actor = Actor::System("oidc");

/// Who somebody is, by the word of an identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What never changes about them there.
    pub subject: &'a str,
    /// What they are called there now.
    pub name: &'a str,
}

/// Whether somebody whose identity is proven may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// They may, as this operator.
    Admitted(Operator),
    /// Another operator has the name, who never is taken over.
    NameTaken(Operator),
    /// Their access was taken away.
    Disabled(Operator),
}

/// Lets the bearer of an identity in with a role: enters an operator who is new, changes the role of one who is known. Writes audit
/// entries; use a transaction. Who is known keeps the name of the first time.
pub async fn admit(
    conn: &impl ConnectionTrait,
    identity: Identity<'_>,
    role: Role,
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    if let Some(known) = find_identity(conn, identity).await? {
        if known.disabled_at.is_some() {
            return Ok(Admission::Disabled(known));
        }
        if known.role == role {
            return Ok(Admission::Admitted(known));
        }
        let changed = change(conn, &known.name, &OperatorChange::Role(role), &ACTOR, now).await?;
        return Ok(Admission::Admitted(changed.unwrap_or(known)));
    }
    if let Some(other) = find(conn, identity.name).await? {
        return Ok(Admission::NameTaken(other));
    }
    let row = Model {
        issuer: Some(identity.issuer.to_owned()),
        subject: Some(identity.subject.to_owned()),
        ..Model::new(identity.name, role, now)
    };
    let detail = json!({"source": "oidc", "issuer": identity.issuer, "subject": identity.subject});
    let operator = enter(conn, row, detail, &ACTOR, now).await?;
    Ok(Admission::Admitted(operator))
}

/// Writes that somebody was refused whom the provider vouches for, and ends the sessions that they may have: what the provider has
/// taken away is gone. Use a transaction.
pub async fn refuse_identity(
    conn: &impl ConnectionTrait,
    identity: Identity<'_>,
    reason: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let known = find_identity(conn, identity).await?;
    if let Some(known) = &known {
        close_all(conn, &known.name).await?;
    }
    let name = known.map_or_else(|| identity.name.to_owned(), |known| known.name);
    let detail =
        json!({"issuer": identity.issuer, "subject": identity.subject, "address": address});
    refused(conn, &name, reason, detail, now).await
}

/// Revokes the tokens of somebody to whom the provider gives no role any more: what one sign-in gave, the next one takes. Writes audit
/// entries; use the transaction of [`refuse_identity`].
pub async fn send_away(
    conn: &impl ConnectionTrait,
    identity: Identity<'_>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if let Some(known) = find_identity(conn, identity).await? {
        revoke_all(conn, &known.name, reason, &ACTOR, now).await?;
    }
    Ok(())
}

/// Writes that a sign-in was refused whose ID token proves nothing.
pub async fn refuse_token(
    conn: &impl ConnectionTrait,
    reason: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    refused(conn, "unknown", reason, json!({ "address": address }), now).await
}

async fn refused(
    conn: &impl ConnectionTrait,
    name: &str,
    reason: &str,
    detail: Json,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor: &ACTOR,
        action: "operator.refused",
        subject_kind: "operator",
        subject_id: name,
        from: None,
        to: None,
        reason: Some(reason),
        detail,
    };
    audit::append(conn, &entry, now).await
}

async fn find_identity(
    conn: &impl ConnectionTrait,
    identity: Identity<'_>,
) -> Result<Option<Operator>, StoreError> {
    let row = Entity::find()
        .filter(Column::Issuer.eq(identity.issuer))
        .filter(Column::Subject.eq(identity.subject))
        .one(conn)
        .await?;
    row.map(Operator::try_from).transpose()
}
