//! Requests: taken in once per natural key, changed only by compare-and-set.

mod apply;
mod apply_all;
mod insert;
mod insert_many;
mod list;
mod reached;
mod take_in;
mod unmapped;

pub use apply::{Applied, Change, apply};
pub use apply_all::{Deed, apply_all};
pub use insert::{Inserted, NewRequest, insert};
pub use insert_many::insert_many;
pub use list::{BadCursor, Filter, ListCursor, RequestPage, list};
pub use reached::{Goal, reached};
pub use take_in::{Draft, take_in};
pub use unmapped::{UnmappedRequest, flagged_since, unmapped};

use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::StoreError;
use super::entities::requests::{Column, Entity, Model};
use super::sql::{Sql, among};
use crate::request::{Asked, Request};

/// The request of that id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Request>, StoreError> {
    Entity::find_by_id(id)
        .one(conn)
        .await?
        .map(Request::try_from)
        .transpose()
}

/// The request of that id, if it belongs to `source`: no source sees another's requests.
pub async fn find_of_source(
    conn: &impl ConnectionTrait,
    source: &str,
    id: Uuid,
) -> Result<Option<Request>, StoreError> {
    Ok(find(conn, id)
        .await?
        .filter(|request| request.source == source))
}

/// The requests of these ids, in no order.
pub async fn find_all(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<Request>, StoreError> {
    let rows = Entity::find()
        .filter(among(conn, Column::Id, ids))
        .all(conn)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// The requests of that external id, of any of `sources`.
pub async fn by_external_id(
    conn: &impl ConnectionTrait,
    sources: &[String],
    external_id: &str,
) -> Result<Vec<Request>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Source.is_in(sources.iter().map(String::as_str)))
        .filter(Column::ExternalId.eq(external_id))
        .all(conn)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// How many requests somebody should look at, counted up to `most`.
pub async fn count_flagged(conn: &impl ConnectionTrait, most: u64) -> Result<u64, StoreError> {
    let counted: Option<Counted> = Sql::new(
        conn,
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM requests WHERE attention IS NOT NULL LIMIT ",
    )
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .then(") AS counted")
    .one(conn)
    .await?;
    Ok(counted.map_or(0, |row| row.count.unsigned_abs()))
}

#[derive(FromQueryResult)]
struct Counted {
    count: i64,
}

/// The request of that id, held until the transaction ends: whoever else wants to hold or change it waits, and then reads what
/// this transaction has written.
///
/// What a source says and the end of the create that links its ticket both hold the request before they look at each other's rows;
/// otherwise neither might see the other, and what was said would never be written.
pub async fn hold(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Request>, StoreError> {
    Entity::find_by_id(id)
        // Rows that refer to the request may be inserted meanwhile. SQLite has one writer at a time and no such locks.
        .lock(LockType::NoKeyUpdate)
        .one(conn)
        .await?
        .map(Request::try_from)
        .transpose()
}

/// The same for several requests, locked in the order of their ids; those that are stored, in that order.
pub async fn hold_all(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<Request>, StoreError> {
    let rows = Entity::find()
        .filter(among(conn, Column::Id, ids))
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(conn)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// The request that `source` calls `external_id`.
pub async fn by_natural_key(
    conn: &impl ConnectionTrait,
    source: &str,
    external_id: &str,
) -> Result<Option<Request>, StoreError> {
    row_by_natural_key(conn, source, external_id)
        .await?
        .map(Request::try_from)
        .transpose()
}

/// What was asked, word for word as taken in, without later extensions.
pub async fn asked_originally(
    conn: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<Asked>, StoreError> {
    let row = Entity::find_by_id(id).one(conn).await?;
    row.as_ref().map(original).transpose()
}

async fn row_by_natural_key(
    conn: &impl ConnectionTrait,
    source: &str,
    external_id: &str,
) -> Result<Option<Model>, StoreError> {
    let row = Entity::find()
        .filter(Column::Source.eq(source))
        .filter(Column::ExternalId.eq(external_id))
        .one(conn)
        .await?;
    Ok(row)
}

/// What was asked at first stands beside what is asked only when that has changed since.
fn original(row: &Model) -> Result<Asked, StoreError> {
    let changed = !row.asked_originally.is_null();
    let original = if changed {
        &row.asked_originally
    } else {
        &row.asked
    };
    asked(original.clone())
}

fn asked(json: Json) -> Result<Asked, StoreError> {
    serde_json::from_value(json).map_err(|error| StoreError::corrupt("what a request asked", error))
}

fn asked_json(asked: &Asked) -> Result<Json, StoreError> {
    serde_json::to_value(asked).map_err(|error| StoreError::corrupt("what a request asks", error))
}

impl TryFrom<Model> for Request {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            source: row.source,
            route: row.route,
            asked: asked(row.asked)?,
            state: row
                .state
                .parse()
                .map_err(|error| StoreError::corrupt("state of a request", error))?,
            reason: row.reason,
            attention: row.attention,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            closed_at: row.closed_at,
        })
    }
}
