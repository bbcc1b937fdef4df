//! Cadences: what runs every so often. Whoever moves `next_at` first runs it; there is no leader.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;

use super::StoreError;
use super::entities::cadences::{Column, Entity, Model};
use super::sql::Sql;

/// A cadence as the configuration wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CadenceSpec {
    /// Unique name: `changes:main:incident`.
    pub name: String,
    /// What runs: `changes`, `reconcile`, …
    pub kind: String,
    /// Name of the connection.
    pub connection: String,
    /// Table that is read.
    pub table: String,
    /// How often.
    pub every: Duration,
}

/// A cadence as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cadence {
    /// Unique name.
    pub name: String,
    /// What runs.
    pub kind: String,
    /// Name of the connection.
    pub connection: String,
    /// Table that is read.
    pub table: String,
    /// How often.
    pub every: Duration,
    /// When it runs next.
    pub next_at: DateTime<Utc>,
    /// When a run last began.
    pub last_started_at: Option<DateTime<Utc>>,
    /// When a run last ended well.
    pub last_finished_at: Option<DateTime<Utc>>,
    /// Whether an operator has stopped it.
    pub paused: bool,
}

/// Stores a cadence; a new one is due at once, a known one keeps its turn unless it now runs more often.
pub async fn ensure(
    conn: &impl ConnectionTrait,
    spec: &CadenceSpec,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let latest = now + spec.every;
    Sql::new(conn, "INSERT INTO cadences (name, kind, connection, table_name, every_ms, next_at, paused) VALUES (")
        .bind(spec.name.as_str())
        .then(", ")
        .bind(spec.kind.as_str())
        .then(", ")
        .bind(spec.connection.as_str())
        .then(", ")
        .bind(spec.table.as_str())
        .then(", ")
        .bind(millis(spec.every))
        .then(", ")
        .bind(now)
        .then(", FALSE) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, connection = excluded.connection, ")
        .then("table_name = excluded.table_name, every_ms = excluded.every_ms, next_at = CASE WHEN cadences.next_at > ")
        .bind(latest)
        .then(" THEN ")
        .bind(latest)
        .then(" ELSE cadences.next_at END")
        .run(conn)
        .await?;
    Ok(())
}

/// The cadences whose turn has come, most overdue first.
pub async fn due(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Cadence>, StoreError> {
    let rows = Entity::find()
        .filter(Column::NextAt.lte(now))
        .filter(Column::Paused.eq(false))
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::Name)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(Cadence::from).collect())
}

/// Takes the turn of a cadence, in the same transaction as the job it causes. False when another was faster.
pub async fn advance(
    conn: &impl ConnectionTrait,
    cadence: &Cadence,
    next_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE cadences SET next_at = ")
        .bind(next_at)
        .then(", last_started_at = ")
        .bind(now)
        .then(" WHERE NOT paused AND name = ")
        .bind(cadence.name.as_str())
        .then(" AND next_at = ")
        .bind(cadence.next_at)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Notes that a run has ended well.
pub async fn finished(
    conn: &impl ConnectionTrait,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE cadences SET last_finished_at = ")
        .bind(now)
        .then(" WHERE name = ")
        .bind(name)
        .run(conn)
        .await?;
    Ok(())
}

/// Stops a cadence or lets it go on. False when there is none of that name.
pub async fn set_paused(
    conn: &impl ConnectionTrait,
    name: &str,
    paused: bool,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE cadences SET paused = ")
        .bind(paused)
        .then(" WHERE name = ")
        .bind(name)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Lets the turn of a cadence come at once. False when there is none of that name, or it is paused.
pub async fn run_now(
    conn: &impl ConnectionTrait,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE cadences SET next_at = ")
        .bind(now)
        .then(" WHERE NOT paused AND name = ")
        .bind(name)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Every cadence, by name.
pub async fn list(conn: &impl ConnectionTrait) -> Result<Vec<Cadence>, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Name).all(conn).await?;
    Ok(rows.into_iter().map(Cadence::from).collect())
}

/// Removes the cadences that the configuration no longer names; how many.
pub async fn remove_others(
    conn: &impl ConnectionTrait,
    names: &[String],
) -> Result<u64, StoreError> {
    let gone = Entity::delete_many()
        .filter(Column::Name.is_not_in(names))
        .exec(conn)
        .await?;
    Ok(gone.rows_affected)
}

fn millis(every: Duration) -> i64 {
    i64::try_from(every.as_millis()).unwrap_or(i64::MAX)
}

impl From<Model> for Cadence {
    fn from(row: Model) -> Self {
        Self {
            name: row.name,
            kind: row.kind,
            connection: row.connection,
            table: row.table_name,
            every: Duration::from_millis(u64::try_from(row.every_ms).unwrap_or_default()),
            next_at: row.next_at,
            last_started_at: row.last_started_at,
            last_finished_at: row.last_finished_at,
            paused: row.paused,
        }
    }
}
