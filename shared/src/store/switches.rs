//! Switches that operators set while the bridge runs: `route:<name>` and `lane:<name>`, on or off.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Value};
use serde::Serialize;
use serde_json::Value as Json;

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::entities::switches::{Column, Entity};
use super::sql::Sql;

/// What the switches of routes begin with.
const OF_ROUTES: &str = "route:";

/// The switch of a route.
pub fn of_route(name: &str) -> String {
    format!("{OF_ROUTES}{name}")
}

/// What the switches of lanes begin with; `lane:*` is that of all.
const OF_LANES: &str = "lane:";
const EVERY_LANE: &str = "*";

/// For a statement about `jobs`: that the lane of a job is not paused.
pub(super) const LANE_IS_ON: &str = "NOT EXISTS (SELECT 1 FROM switches WHERE NOT is_on AND subject IN ('lane:*', 'lane:' || jobs.lane))";

/// The switch of a lane; of all lanes without one.
pub fn of_lane(lane: Option<&str>) -> String {
    format!("{OF_LANES}{}", lane.unwrap_or(EVERY_LANE))
}

/// The lanes that operators have paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PausedLanes(HashSet<String>);

impl PausedLanes {
    /// Read from the switches.
    pub fn of(switches: &[Switch]) -> Self {
        let off = switches.iter().filter(|switch| !switch.on);
        Self(
            off.filter_map(|switch| switch.subject.strip_prefix(OF_LANES))
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether no job of `lane` is claimed.
    pub fn holds(&self, lane: &str) -> bool {
        self.0.contains(EVERY_LANE) || self.0.contains(lane)
    }
}

/// A switch that was ever touched. One that was not is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// What it switches: `route:<name>`, `lane:<name>`, `lane:*`.
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

/// Sets a switch and writes the audit entry, in the same transaction. False when it stands so already: nothing is written then.
pub async fn set(
    conn: &impl ConnectionTrait,
    subject: &str,
    on: bool,
    reason: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let values: [Value; 5] = [
        subject.into(),
        on.into(),
        actor.to_string().into(),
        now.into(),
        reason.into(),
    ];
    let mut sql = Sql::new(
        conn,
        "INSERT INTO switches (subject, is_on, changed_by, changed_at, reason) SELECT ",
    );
    for (place, value) in values.into_iter().enumerate() {
        sql = if place == 0 { sql } else { sql.then(", ") }.bind(value);
    }
    // One that nobody has touched is on.
    let touched = sql
        .then(" WHERE ")
        .bind(!on)
        .then(" OR EXISTS (SELECT 1 FROM switches WHERE subject = ")
        .bind(subject)
        .then(
            ") ON CONFLICT (subject) DO UPDATE SET is_on = excluded.is_on, changed_by = excluded.changed_by, \
             changed_at = excluded.changed_at, reason = excluded.reason WHERE switches.is_on <> excluded.is_on",
        )
        .run(conn)
        .await?;
    if touched == 0 {
        return Ok(false);
    }
    let entry = Entry {
        actor,
        action: "switch.set",
        subject_kind: "switch",
        subject_id: subject,
        from: Some(word(!on)),
        to: Some(word(on)),
        reason,
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await?;
    Ok(true)
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
