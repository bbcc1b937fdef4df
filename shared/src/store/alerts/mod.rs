//! Where each alert stands. Whoever moves a row first has seen the change, and its messages are stored with it: each change is told once,
//! whatever the number of schedulers.

pub mod messages;
mod signs;

pub use signs::{Runs, failing_callbacks, flagged, runs_by_connection, unsettled_creates};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::sql::Sql;
use crate::alert::{AlertName, AlertState, Standing};

/// An alert as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Which.
    pub name: AlertName,
    /// Where it stands.
    pub standing: Standing,
    /// What the last look counted; `None` when there was nothing to count.
    pub figure: Option<i64>,
    /// Where it was counted; empty while the condition does not hold.
    pub findings: Vec<Finding>,
    /// Until when, by whom and why an operator keeps it quiet.
    pub silence: Option<Silence>,
    /// Counts the changes; a change names the one that it has seen.
    pub version: i64,
}

/// What was found at one lane, connection or table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub at: String,
    /// What is the matter there, in words.
    pub what: String,
}

/// An operator has taken note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Until when.
    pub until: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Alert {
    /// Whether an operator keeps it quiet.
    pub fn is_silenced(&self, now: DateTime<Utc>) -> bool {
        self.silence.as_ref().is_some_and(|it| it.until > now)
    }
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    state: String,
    since: DateTime<Utc>,
    told_at: Option<DateTime<Utc>>,
    figure: Option<i64>,
    findings: Json,
    silenced_until: Option<DateTime<Utc>>,
    silenced_by: Option<String>,
    silence_reason: Option<String>,
    version: i64,
}

/// Enters the alerts that are not there yet, as resolved.
pub async fn ensure(conn: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), StoreError> {
    for name in AlertName::ALL {
        Sql::new(
            conn,
            "INSERT INTO alerts (name, state, since, findings, version) VALUES (",
        )
        .bind(name.as_str())
        .then(", 'resolved', ")
        .bind(now)
        .then(", ")
        .bind(json!([]))
        .then(", 0) ON CONFLICT (name) DO NOTHING")
        .run(conn)
        .await?;
    }
    Ok(())
}

/// Every alert that was ever entered and that this program knows, by name.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<Alert>, StoreError> {
    let rows: Vec<Row> = Sql::new(conn, "SELECT * FROM alerts ORDER BY name")
        .all(conn)
        .await?;
    let known = |row: &Row| row.name.parse::<AlertName>().is_ok();
    rows.into_iter()
        .filter(known)
        .map(Alert::try_from)
        .collect()
}

/// How many fire.
pub async fn count_firing(conn: &impl ConnectionTrait) -> Result<u64, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let row: Option<Count> = Sql::new(
        conn,
        "SELECT COUNT(*) AS count FROM alerts WHERE state = 'firing'",
    )
    .one(conn)
    .await?;
    Ok(row.map_or(0, |row| row.count.unsigned_abs()))
}

/// Stores what a look has found, in the same transaction as the messages about it. False when somebody has changed the alert since it
/// was read.
pub async fn change(conn: &impl ConnectionTrait, alert: &Alert) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE alerts SET version = version + 1, state = ")
        .bind(alert.standing.state.as_str())
        .then(", since = ")
        .bind(alert.standing.since)
        .then(", told_at = ")
        .bind(alert.standing.told_at)
        .then(", figure = ")
        .bind(alert.figure)
        .then(", findings = ")
        .bind(json!(alert.findings))
        .then(" WHERE name = ")
        .bind(alert.name.as_str())
        .then(" AND version = ")
        .bind(alert.version)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Keeps an alert quiet, with an audit entry; use a transaction. False when it is kept quiet already.
pub async fn silence(
    conn: &impl ConnectionTrait,
    name: AlertName,
    silence: &Silence,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(
        conn,
        "UPDATE alerts SET version = version + 1, state = CASE WHEN state = 'firing' THEN 'quiet' ELSE state END, silenced_until = ",
    )
    .bind(silence.until)
    .then(", silenced_by = ")
    .bind(silence.by.as_str())
    .then(", silence_reason = ")
    .bind(silence.reason.as_str())
    .then(" WHERE name = ")
    .bind(name.as_str())
    .then(" AND (silenced_until IS NULL OR silenced_until <= ")
    .bind(now)
    .then(")")
    .run(conn)
    .await?;
    if touched == 0 {
        return Ok(false);
    }
    let detail = json!({ "until": silence.until });
    let reason = Some(silence.reason.as_str());
    tell(
        conn,
        name.as_str(),
        "alert.silenced",
        actor,
        reason,
        detail,
        now,
    )
    .await?;
    Ok(true)
}

/// Ends a silence, with an audit entry; use a transaction. False when there is none. The next look tells what still holds.
pub async fn resume(
    conn: &impl ConnectionTrait,
    name: AlertName,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(
        conn,
        "UPDATE alerts SET version = version + 1, silenced_until = NULL, silenced_by = NULL, silence_reason = NULL WHERE name = ",
    )
    .bind(name.as_str())
    .then(" AND silenced_until > ")
    .bind(now)
    .run(conn)
    .await?;
    if touched == 0 {
        return Ok(false);
    }
    tell(
        conn,
        name.as_str(),
        "alert.resumed",
        actor,
        None,
        Json::Null,
        now,
    )
    .await?;
    Ok(true)
}

/// Puts on record that an operator has tried a destination, and what came of it.
pub async fn tested(
    conn: &impl ConnectionTrait,
    destination: &str,
    is_well: bool,
    answer: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let detail = json!({ "sent": is_well, "answer": answer });
    tell(conn, destination, "alert.tested", actor, None, detail, now).await
}

async fn tell(
    conn: &impl ConnectionTrait,
    subject: &str,
    action: &str,
    actor: &Actor,
    reason: Option<&str>,
    detail: Json,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "alert",
        subject_id: subject,
        from: None,
        to: None,
        reason,
        detail,
    };
    audit::append(conn, &entry, now).await
}

impl TryFrom<Row> for Alert {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let state: AlertState = row
            .state
            .parse()
            .map_err(|error| StoreError::corrupt("state of an alert", error))?;
        let name = row
            .name
            .parse()
            .map_err(|error| StoreError::corrupt("name of an alert", error))?;
        let silence = row.silenced_until.map(|until| Silence {
            until,
            by: row.silenced_by.unwrap_or_default(),
            reason: row.silence_reason.unwrap_or_default(),
        });
        Ok(Self {
            name,
            standing: Standing {
                state,
                since: row.since,
                told_at: row.told_at,
            },
            figure: row.figure,
            findings: serde_json::from_value(row.findings)
                .map_err(|error| StoreError::corrupt("findings of an alert", error))?,
            silence,
            version: row.version,
        })
    }
}
