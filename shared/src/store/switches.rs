//! Switches that operators set while the bridge runs: `route:<name>` on or off.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder};
use serde::Serialize;
use serde_json::Value as Json;

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::entities::switches::{Column, Entity, Model};

/// What the switches of routes begin with.
const OF_ROUTES: &str = "route:";

/// The switch of a route.
pub(super) fn of_route(name: &str) -> String {
    format!("{OF_ROUTES}{name}")
}

/// A switch that was ever touched. One that was not is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// What it switches: `route:<name>`.
    pub subject: String,
    /// On or off.
    pub on: bool,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
}

impl Switch {
    /// The route that it switches, when it is one of those.
    pub fn route(&self) -> Option<&str> {
        self.subject.strip_prefix(OF_ROUTES)
    }
}

/// Every switch, by subject.
pub async fn get_all(conn: &impl ConnectionTrait) -> Result<Vec<Switch>, StoreError> {
    let rows = Entity::find()
        .order_by_asc(Column::Subject)
        .all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Switch {
            subject: row.subject,
            on: row.is_on,
            by: row.changed_by,
            at: row.changed_at,
            reason: row.reason,
        })
        .collect())
}

/// Sets a switch and writes the audit entry, in the same transaction.
pub async fn set(
    conn: &impl ConnectionTrait,
    subject: &str,
    on: bool,
    reason: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let before = Entity::find_by_id(subject.to_owned())
        .one(conn)
        .await?
        .is_none_or(|row| row.is_on);
    let row = Model {
        subject: subject.to_owned(),
        is_on: on,
        changed_by: actor.to_string(),
        changed_at: now,
        reason: reason.map(str::to_owned),
    };
    let replace = OnConflict::column(Column::Subject)
        .update_columns([
            Column::IsOn,
            Column::ChangedBy,
            Column::ChangedAt,
            Column::Reason,
        ])
        .to_owned();
    Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(conn)
        .await?;
    let entry = Entry {
        actor,
        action: "switch.set",
        subject_kind: "switch",
        subject_id: subject,
        from: Some(word(before)),
        to: Some(word(on)),
        reason,
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
