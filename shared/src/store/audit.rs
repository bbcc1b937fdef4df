//! The audit trail: who did what to which thing. Written in the transaction of the deed.

mod seal;
mod search;
mod verify;

pub use seal::{Seal, head, seal};
pub use search::{AuditFilter, AuditPage, search};
pub use verify::{Fault, Proof, hex, is_part, verify};

use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Value};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::StoreError;
use super::entities::audit_entries::{Column, Entity, Model};
use super::sql::Sql;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An identity system, by name.
    Source(String),
    /// A person at the command line or the console.
    Operator(String),
    /// A part of the bridge.
    System(&'static str),
    /// Somebody in ServiceNow, by user name.
    ServiceNow(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "source:{name}"),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::System(part) => write!(f, "system:{part}"),
            Self::ServiceNow(user) => write!(f, "servicenow:{user}"),
        }
    }
}

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What, in a dotted word: `request.accepted`, `job.revived`.
    pub action: &'a str,
    /// `request`, `job`, `route`, …
    pub subject_kind: &'a str,
    /// Id or name of the thing.
    pub subject_id: &'a str,
    /// State before.
    pub from: Option<&'a str>,
    /// State after.
    pub to: Option<&'a str>,
    /// Why, in words.
    pub reason: Option<&'a str>,
    /// More, without secrets; `Json::Null` when there is nothing more.
    pub detail: Json,
}

/// A written entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Counts up.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as `kind:name`.
    pub actor: String,
    /// What.
    pub action: String,
    /// Kind of the thing.
    pub subject_kind: String,
    /// Id or name of the thing.
    pub subject_id: String,
    /// State before.
    pub from: Option<String>,
    /// State after.
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// More.
    pub detail: Json,
}

/// Writes an entry, in the same transaction as the deed.
pub async fn append(
    conn: &impl ConnectionTrait,
    entry: &Entry<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    append_all(conn, std::slice::from_ref(entry), now).await
}

/// Appends what a worker found out about a connection.
pub(super) async fn append_on_connection(
    conn: &impl ConnectionTrait,
    connection: &str,
    action: &str,
    reason: Option<&str>,
    detail: Json,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor: &Actor::System("worker"),
        action,
        subject_kind: "connection",
        subject_id: connection,
        from: None,
        to: None,
        reason,
        detail,
    };
    append(conn, &entry, now).await
}

/// Writes several entries in one statement, in the same transaction as the deeds.
pub async fn append_all(
    conn: &impl ConnectionTrait,
    entries: &[Entry<'_>],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    insertion(conn, entries, now).run(conn).await?;
    Ok(())
}

/// The statement that writes entries, at least one.
pub(super) fn insertion(
    conn: &impl ConnectionTrait,
    entries: &[Entry<'_>],
    now: DateTime<Utc>,
) -> Sql {
    let rows = entries.iter().map(|entry| values(entry, now));
    Sql::given(
        conn,
        "at timestamptz, actor text, action text, subject_kind text, subject_id text, from_word text, to_word text, reason text, \
         detail jsonb",
        rows.collect(),
    )
    .then(
        "INSERT INTO audit_entries (at, actor, action, subject_kind, subject_id, from_word, to_word, reason, detail) \
         SELECT at, actor, action, subject_kind, subject_id, from_word, to_word, reason, COALESCE(detail, 'null') FROM given",
    )
}

fn values(entry: &Entry<'_>, now: DateTime<Utc>) -> Vec<Value> {
    vec![
        now.into(),
        entry.actor.to_string().into(),
        entry.action.into(),
        entry.subject_kind.into(),
        entry.subject_id.into(),
        entry.from.into(),
        entry.to.into(),
        entry.reason.into(),
        entry.detail.clone().into(),
    ]
}

/// The entries about a request, oldest first.
pub async fn of_request(
    conn: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Vec<AuditRow>, StoreError> {
    of_subject(conn, "request", &id.to_string()).await
}

/// The entries about any thing, oldest first.
pub async fn of_subject(
    conn: &impl ConnectionTrait,
    kind: &str,
    id: &str,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows = Entity::find()
        .filter(Column::SubjectKind.eq(kind))
        .filter(Column::SubjectId.eq(id))
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(AuditRow::from).collect())
}

impl From<Model> for AuditRow {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            from: row.from_word,
            to: row.to_word,
            reason: row.reason,
            detail: row.detail,
        }
    }
}
