//! Processes and their heart-beats: a lease on jobs is good as long as its owner lives.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder,
};
use serde::Serialize;
use serde_json::Value as Json;

use super::StoreError;
use super::audit::{self, Actor, Entry};
use super::entities::processes::{Column, Entity, Model};
use super::sql::Sql;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Identity, unique per start of a process, also after a lost lease. The `owner` of its leases.
    pub id: String,
    /// `worker`, `scheduler`, `up`.
    pub kind: String,
    /// Host name.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// Lanes it serves.
    pub lanes: Vec<String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
}

/// A process that is known to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alive {
    /// The process.
    pub process: Process,
    /// When it last gave a sign of life.
    pub heartbeat_at: DateTime<Utc>,
    /// Until when it is believed to live.
    pub lease_until: DateTime<Utc>,
    /// When an operator told it to end.
    pub drain_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Gone {
    id: String,
}

/// Enters a process. An id that is entered already is a [`StoreError::Conflict`].
pub async fn register(
    conn: &impl ConnectionTrait,
    process: &Process,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = Model {
        id: process.id.clone(),
        kind: process.kind.clone(),
        host: process.host.clone(),
        version: process.version.clone(),
        lanes: process.lanes.clone().into(),
        started_at: process.started_at,
        heartbeat_at: now,
        lease_until,
        drain_at: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// A sign of life. False when the lease had run out or the row is gone: the process must drop what it runs, and
/// register under a new id before it claims again.
pub async fn heartbeat(
    conn: &impl ConnectionTrait,
    id: &str,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE processes SET heartbeat_at = ")
        .bind(now)
        .then(", lease_until = ")
        .bind(lease_until)
        .then(" WHERE id = ")
        .bind(id)
        .then(" AND lease_until > ")
        .bind(now)
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Takes a process off the list as it ends; jobs it still holds are reclaimed at once.
pub async fn deregister(conn: &impl ConnectionTrait, id: &str) -> Result<(), StoreError> {
    Entity::delete_by_id(id.to_owned()).exec(conn).await?;
    Ok(())
}

/// The processes whose lease holds, by kind and id.
pub async fn alive(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Alive>, StoreError> {
    let rows = Entity::find()
        .filter(Column::LeaseUntil.gt(now))
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    rows.into_iter().map(Alive::try_from).collect()
}

/// Tells a process to end, with an audit entry; use a transaction. It looks with each heart-beat.
pub async fn drain(
    conn: &impl ConnectionTrait,
    id: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE processes SET drain_at = ")
        .bind(now)
        .then(" WHERE drain_at IS NULL AND id = ")
        .bind(id)
        .run(conn)
        .await?;
    let entry = Entry {
        actor,
        action: "worker.drained",
        subject_kind: "worker",
        subject_id: id,
        from: None,
        to: None,
        reason: None,
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await
}

/// Whether a process was told to end.
pub async fn is_to_drain(conn: &impl ConnectionTrait, id: &str) -> Result<bool, StoreError> {
    let found: Option<Gone> = Sql::new(
        conn,
        "SELECT id FROM processes WHERE drain_at IS NOT NULL AND id = ",
    )
    .bind(id)
    .one(conn)
    .await?;
    Ok(found.is_some())
}

/// Takes off the list whose lease has run out; their ids. Their jobs are for `jobs::reclaim`.
pub async fn expire(
    conn: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let gone: Vec<Gone> = Sql::new(conn, "DELETE FROM processes WHERE lease_until <= ")
        .bind(now)
        .then(" RETURNING id")
        .all(conn)
        .await?;
    Ok(gone.into_iter().map(|row| row.id).collect())
}

impl TryFrom<Model> for Alive {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let lanes = serde_json::from_value(row.lanes)
            .map_err(|error| StoreError::corrupt("lanes", error))?;
        Ok(Self {
            process: Process {
                id: row.id,
                kind: row.kind,
                host: row.host,
                version: row.version,
                lanes,
                started_at: row.started_at,
            },
            heartbeat_at: row.heartbeat_at,
            lease_until: row.lease_until,
            drain_at: row.drain_at,
        })
    }
}
