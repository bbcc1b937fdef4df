//! Cursors: how far a table was read (wire contract 2.10). One never passes an unread row.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde::Serialize;

use super::StoreError;
use super::entities::cursors::Entity;
use super::sql::Sql;

/// How far a table was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cursor {
    /// Unique name: `changes:main:incident`.
    pub name: String,
    /// Raw `sys_updated_on` of the last row read, UTC.
    pub updated_on: String,
    /// Its `sys_id`.
    pub sys_id: String,
    /// When the time zone of the connection was last verified.
    pub zone_checked_at: Option<DateTime<Utc>>,
    /// Counts up with each write; what `put` compares. `put` itself raises it.
    pub version: i64,
}

/// The cursor of that name.
pub async fn get(conn: &impl ConnectionTrait, name: &str) -> Result<Option<Cursor>, StoreError> {
    let row = Entity::find_by_id(name.to_owned()).one(conn).await?;
    Ok(row.map(|row| Cursor {
        name: row.name,
        updated_on: row.updated_on,
        sys_id: row.sys_id,
        zone_checked_at: row.zone_checked_at,
        version: row.version,
    }))
}

/// Moves a cursor, in the same transaction as the page's effects. False when it is not where `before` says.
///
/// `before` is `None` for a cursor that must not exist yet. The version of `after` is ignored.
pub async fn put(
    conn: &impl ConnectionTrait,
    before: Option<&Cursor>,
    after: &Cursor,
) -> Result<bool, StoreError> {
    let statement = match before {
        None => Sql::new(
            conn,
            "INSERT INTO cursors (name, updated_on, sys_id, zone_checked_at, version) VALUES (",
        )
        .bind(after.name.as_str())
        .then(", ")
        .bind(after.updated_on.as_str())
        .then(", ")
        .bind(after.sys_id.as_str())
        .then(", ")
        .bind(after.zone_checked_at)
        .then(", 1) ON CONFLICT (name) DO NOTHING"),
        Some(before) => Sql::new(conn, "UPDATE cursors SET updated_on = ")
            .bind(after.updated_on.as_str())
            .then(", sys_id = ")
            .bind(after.sys_id.as_str())
            .then(", zone_checked_at = ")
            .bind(after.zone_checked_at)
            .then(", version = version + 1 WHERE name = ")
            .bind(after.name.as_str())
            .then(" AND version = ")
            .bind(before.version),
    };
    Ok(statement.run(conn).await? == 1)
}
