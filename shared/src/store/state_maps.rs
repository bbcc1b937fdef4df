//! Which state map each route has now, and how far tickets were looked through that an older one has decided.
//!
//! Processes of several configurations may run side by side for a while: the one that started last says which map holds.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::StoreError;
use super::sql::Sql;

/// The map of a route.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct KnownMap {
    /// Name of the route.
    pub route: String,
    /// Fingerprint of its map.
    pub fingerprint: String,
    /// How far the walk over the watched tickets has come; `None`: it has not begun.
    pub position: Option<Uuid>,
    /// When the walk came to its end; `None`: it has not.
    pub walked_at: Option<DateTime<Utc>>,
}

/// Says which map a process that started at `since` has for a route. Another map than before begins a walk; a process that started
/// earlier than whoever spoke last is not heard.
pub async fn announce(
    conn: &impl ConnectionTrait,
    route: &str,
    fingerprint: &str,
    since: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(
        conn,
        "INSERT INTO state_maps (route, fingerprint, since) VALUES (",
    )
    .bind(route)
    .then(", ")
    .bind(fingerprint)
    .then(", ")
    .bind(since)
    .then(
        ") ON CONFLICT (route) DO UPDATE SET \
         position = CASE WHEN state_maps.fingerprint = excluded.fingerprint THEN state_maps.position END, \
         walked_at = CASE WHEN state_maps.fingerprint = excluded.fingerprint THEN state_maps.walked_at END, \
         fingerprint = excluded.fingerprint, since = excluded.since WHERE state_maps.since < excluded.since",
    )
    .run(conn)
    .await?;
    Ok(())
}

/// Every map that was announced, by route.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<KnownMap>, StoreError> {
    Sql::new(
        conn,
        "SELECT route, fingerprint, position, walked_at FROM state_maps ORDER BY route",
    )
    .all(conn)
    .await
}

/// Moves a walk from where it was found to `to`; without one it has come to its end. Whoever comes second moves nothing.
pub async fn advance(
    conn: &impl ConnectionTrait,
    walk: &KnownMap,
    to: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE state_maps SET position = ")
        .bind(to)
        .then(", walked_at = ")
        .bind(to.is_none().then_some(now))
        .then(" WHERE walked_at IS NULL AND route = ")
        .bind(walk.route.as_str())
        .then(" AND fingerprint = ")
        .bind(walk.fingerprint.as_str())
        .then(" AND position IS NOT DISTINCT FROM ")
        .bind(walk.position)
        .run(conn)
        .await?;
    Ok(())
}
