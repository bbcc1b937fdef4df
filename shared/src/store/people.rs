//! People that were looked up in an instance, so that each is looked up rarely.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;

use super::sql::Sql;
use super::{CHUNK, StoreError};

/// A person as an instance knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult)]
pub struct Person {
    /// What was looked up: the person as the source names them.
    #[sea_orm(alias = "lookup")]
    pub key: String,
    /// `sys_id` of the `sys_user` row.
    pub sys_id: String,
    /// Display name.
    pub name: String,
}

/// Those of `keys` that were looked up after `fresh_after`.
pub async fn find(
    conn: &impl ConnectionTrait,
    connection: &str,
    keys: &[String],
    fresh_after: DateTime<Utc>,
) -> Result<Vec<Person>, StoreError> {
    let mut found = Vec::new();
    for keys in keys.chunks(CHUNK) {
        let some: Vec<Person> = Sql::new(
            conn,
            "SELECT lookup, sys_id, name FROM people WHERE connection = ",
        )
        .bind(connection)
        .then(" AND checked_at > ")
        .bind(fresh_after)
        .then(" AND lookup")
        .one_of(keys)
        .then(" ORDER BY lookup")
        .all(conn)
        .await?;
        found.extend(some);
    }
    Ok(found)
}

/// Remembers what a lookup found.
pub async fn put(
    conn: &impl ConnectionTrait,
    connection: &str,
    key: &str,
    sys_id: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(
        conn,
        "INSERT INTO people (connection, lookup, sys_id, name, checked_at) VALUES (",
    )
    .bind(connection)
    .then(", ")
    .bind(key)
    .then(", ")
    .bind(sys_id)
    .then(", ")
    .bind(name)
    .then(", ")
    .bind(now)
    .then(
        ") ON CONFLICT (connection, lookup) DO UPDATE SET \
             sys_id = excluded.sys_id, name = excluded.name, checked_at = excluded.checked_at",
    )
    .run(conn)
    .await?;
    Ok(())
}

/// Forgets a person, because the instance no longer accepts what was remembered.
pub async fn forget(
    conn: &impl ConnectionTrait,
    connection: &str,
    key: &str,
) -> Result<(), StoreError> {
    Sql::new(conn, "DELETE FROM people WHERE connection = ")
        .bind(connection)
        .then(" AND lookup = ")
        .bind(key)
        .run(conn)
        .await?;
    Ok(())
}
