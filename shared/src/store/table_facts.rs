//! What was learned about a table of an instance.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde::Serialize;

use super::StoreError;
use super::entities::table_facts::{Entity, Model};
use super::sql::Sql;

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Name of the connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// Whether a create keeps the `sys_id` we send (wire contract 12.1); `None` while nobody has tried.
    pub honours_sys_id: Option<bool>,
    /// When the time zone of the integration user was last found to be UTC (wire contract 2.10).
    pub zone_ok_at: Option<DateTime<Utc>>,
}

/// What is known of a table; `None` while nothing is.
pub async fn get(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
) -> Result<Option<Facts>, StoreError> {
    let row = Entity::find_by_id((connection.to_owned(), table.to_owned()))
        .one(conn)
        .await?;
    Ok(row.map(Facts::from))
}

/// What is known of all tables: a few rows.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<Facts>, StoreError> {
    let rows = Entity::find().all(conn).await?;
    Ok(rows.into_iter().map(Facts::from).collect())
}

impl From<Model> for Facts {
    fn from(row: Model) -> Self {
        Self {
            connection: row.connection,
            table: row.table_name,
            honours_sys_id: row.honours_sys_id,
            zone_ok_at: row.zone_ok_at,
        }
    }
}

/// Notes whether a create kept the `sys_id` we sent.
pub async fn set_honours(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    honours: bool,
) -> Result<(), StoreError> {
    upsert(conn, connection, table, "honours_sys_id", honours).await
}

/// Notes that the time zone was found to be right.
pub async fn set_zone_ok(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    upsert(conn, connection, table, "zone_ok_at", now).await
}

async fn upsert(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    column: &'static str,
    value: impl Into<sea_orm::Value>,
) -> Result<(), StoreError> {
    Sql::new(conn, "INSERT INTO table_facts (connection, table_name, ")
        .then(column)
        .then(") VALUES (")
        .bind(connection)
        .then(", ")
        .bind(table)
        .then(", ")
        .bind(value)
        .then(") ON CONFLICT (connection, table_name) DO UPDATE SET ")
        .then(column)
        .then(" = excluded.")
        .then(column)
        .run(conn)
        .await?;
    Ok(())
}
