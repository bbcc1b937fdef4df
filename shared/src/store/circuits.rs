//! Circuits: a connection that is known not to work is left alone until a moment, then one job tries it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QueryOrder};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::entities::circuits::{Column, Entity};
use super::sql::Sql;

/// An open circuit. A connection without one works as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Circuit {
    /// Name of the connection.
    pub connection: String,
    /// Why, in words.
    pub reason: String,
    /// Class of the error that opened it.
    pub class: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Until when nobody calls.
    pub until: DateTime<Utc>,
    /// How often in a row it was found not to work.
    pub failures: i32,
    /// The job that may try now.
    pub probing_job: Option<Uuid>,
}

/// Classes that pass by themselves, when the instance is itself again. Every other one that holds a circuit open wants a hand.
const PASSING: [&str; 8] = [
    "rate_limited",
    "busy",
    "hibernating",
    "offline",
    "web_page",
    "connect",
    "dns",
    "tls",
];

impl Circuit {
    /// Whether somebody has to mend something before it closes.
    pub fn wants_a_hand(&self) -> bool {
        !PASSING.contains(&self.class.as_str())
    }

    /// The connection that it holds back, or of which it holds a table back.
    pub fn of(&self) -> &str {
        self.connection
            .split_once('/')
            .map_or(self.connection.as_str(), |(connection, _)| connection)
    }

    /// Whether it holds calls to a table of a connection: by the table, or by the whole connection.
    pub fn holds(&self, connection: &str, table: Option<&str>) -> bool {
        match self.connection.split_once('/') {
            None => self.connection == connection,
            Some((of, held)) => of == connection && table.is_none_or(|table| table == held),
        }
    }
}

#[derive(FromQueryResult)]
struct Failures {
    failures: i32,
}

/// Opens a circuit, or keeps it open; the later `until` holds. Writes an audit entry when it was closed.
pub async fn open(
    conn: &impl ConnectionTrait,
    connection: &str,
    class: &str,
    reason: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row: Option<Failures> =
        Sql::new(conn, "INSERT INTO circuits (connection, reason, class, opened_at, until, failures) VALUES (")
            .bind(connection)
            .then(", ")
            .bind(reason)
            .then(", ")
            .bind(class)
            .then(", ")
            .bind(now)
            .then(", ")
            .bind(until)
            .then(
                ", 1) ON CONFLICT (connection) DO UPDATE SET reason = excluded.reason, class = excluded.class, \
                 until = CASE WHEN excluded.until > circuits.until THEN excluded.until ELSE circuits.until END, \
                 failures = circuits.failures + 1, probing_job = NULL RETURNING failures",
            )
            .one(conn)
            .await?;
    if row.is_some_and(|row| row.failures == 1) {
        audit::append_on_connection(
            conn,
            connection,
            "circuit.opened",
            Some(reason),
            json!({ "class": class, "until": until }),
            now,
        )
        .await?;
    }
    Ok(())
}

/// Closes a circuit after a call that worked, and writes an audit entry. False when it was closed already.
pub async fn close(
    conn: &impl ConnectionTrait,
    connection: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let gone = Entity::delete_by_id(connection.to_owned())
        .exec(conn)
        .await?
        .rows_affected
        == 1;
    if gone {
        audit::append_on_connection(conn, connection, "circuit.closed", None, Json::Null, now)
            .await?;
    }
    Ok(gone)
}

/// Ends the wait of an open circuit because an operator says so: one job tries at once, as when the time had come. With an audit entry, in
/// the same transaction. False when it is closed by now, or was over already.
pub async fn end_wait(
    conn: &impl ConnectionTrait,
    circuit: &Circuit,
    actor: &Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE circuits SET until = ")
        .bind(now)
        .then(", probing_job = NULL WHERE connection = ")
        .bind(circuit.connection.as_str())
        .then(" AND until > ")
        .bind(now)
        .run(conn)
        .await?;
    if touched == 0 {
        return Ok(false);
    }
    let entry = Entry {
        actor,
        action: "circuit.wait_ended",
        subject_kind: "connection",
        subject_id: &circuit.connection,
        from: Some(&circuit.until.to_rfc3339()),
        to: Some(&now.to_rfc3339()),
        reason: Some(reason),
        detail: json!({ "class": circuit.class, "reason": circuit.reason }),
    };
    audit::append(conn, &entry, now).await?;
    Ok(true)
}

/// The open circuits, by connection.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<Circuit>, StoreError> {
    let rows = Entity::find()
        .order_by_asc(Column::Connection)
        .all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Circuit {
            connection: row.connection,
            reason: row.reason,
            class: row.class,
            opened_at: row.opened_at,
            until: row.until,
            failures: row.failures,
            probing_job: row.probing_job,
        })
        .collect())
}

/// Asks to be the one job that may try the connection once `until` has passed. The winner may ask again.
///
/// A winner that no longer runs (its worker died) holds nobody up.
pub async fn try_probe(
    conn: &impl ConnectionTrait,
    connection: &str,
    job_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE circuits SET probing_job = ")
        .bind(job_id)
        .then(" WHERE connection = ")
        .bind(connection)
        .then(" AND until <= ")
        .bind(now)
        .then(" AND (probing_job IS NULL OR probing_job = ")
        .bind(job_id)
        .then(
            " OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = circuits.probing_job AND jobs.state = 'running'))",
        )
        .run(conn)
        .await?;
    Ok(touched == 1)
}
