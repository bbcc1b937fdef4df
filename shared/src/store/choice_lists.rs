//! The choice lists of each table as they were last read: one row a connection and table, written over by each reading.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value as Json;

use super::StoreError;
use super::sql::Sql;
use crate::choices::List;
use crate::route::Route;

/// What a reading brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Name of the connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Why the lists could not be read, and what to do; there are none then.
    pub problem: Option<String>,
    /// The lists, one a column.
    pub lists: Vec<List>,
}

impl Reading {
    /// Whether it is about the table of this route.
    pub fn is_of(&self, route: &Route) -> bool {
        self.connection == route.connection && self.table == route.kind.table()
    }
}

#[derive(FromQueryResult)]
struct Row {
    connection: String,
    table_name: String,
    read_at: DateTime<Utc>,
    problem: Option<String>,
    lists: Json,
}

/// Enters a reading in the place of the one before it.
pub async fn put(conn: &impl ConnectionTrait, reading: &Reading) -> Result<(), StoreError> {
    let lists = serde_json::to_value(&reading.lists)
        .map_err(|error| StoreError::corrupt("lists", error))?;
    Sql::new(
        conn,
        "INSERT INTO choice_lists (connection, table_name, read_at, problem, lists) VALUES (",
    )
    .bind(reading.connection.as_str())
    .then(", ")
    .bind(reading.table.as_str())
    .then(", ")
    .bind(reading.read_at)
    .then(", ")
    .bind(reading.problem.clone())
    .then(", ")
    .bind(lists)
    .then(
        ") ON CONFLICT (connection, table_name) DO UPDATE SET read_at = excluded.read_at, problem = excluded.problem, \
         lists = excluded.lists",
    )
    .run(conn)
    .await?;
    Ok(())
}

/// The last reading of every table: a few rows.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<Reading>, StoreError> {
    let rows: Vec<Row> = Sql::new(
        conn,
        "SELECT * FROM choice_lists ORDER BY connection, table_name",
    )
    .all(conn)
    .await?;
    rows.into_iter().map(Reading::try_from).collect()
}

/// The last reading of a table; `None` while nobody has read it.
pub async fn of(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
) -> Result<Option<Reading>, StoreError> {
    let row: Option<Row> = Sql::new(conn, "SELECT * FROM choice_lists WHERE connection = ")
        .bind(connection)
        .then(" AND table_name = ")
        .bind(table)
        .one(conn)
        .await?;
    row.map(Reading::try_from).transpose()
}

/// Forgets a table that is no longer compared.
pub async fn forget(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
) -> Result<(), StoreError> {
    Sql::new(conn, "DELETE FROM choice_lists WHERE connection = ")
        .bind(connection)
        .then(" AND table_name = ")
        .bind(table)
        .run(conn)
        .await?;
    Ok(())
}

impl TryFrom<Row> for Reading {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            connection: row.connection,
            table: row.table_name,
            read_at: row.read_at,
            problem: row.problem,
            lists: serde_json::from_value(row.lists)
                .map_err(|error| StoreError::corrupt("lists", error))?,
        })
    }
}
