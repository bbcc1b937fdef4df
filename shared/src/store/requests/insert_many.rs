//! Takes many requests in with a handful of statements.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Value};
use uuid::Uuid;

use super::insert::{Inserted, NewRequest, row_of, tell};
use super::original;
use crate::request::Request;
use crate::store::StoreError;
use crate::store::entities::requests::{Column, Entity, Model};
use crate::store::sql::Sql;

#[derive(FromQueryResult)]
struct Stored {
    id: Uuid,
}

/// What [`insert`](super::insert) does, for many requests of one source at once: what became of each, in order.
///
/// What stands twice in `new` is new the first time and existing the second. A statement binds 15 values a request;
/// callers hand in a few hundred at most.
pub async fn insert_many(
    conn: &impl ConnectionTrait,
    source: &str,
    new: &[NewRequest],
    now: DateTime<Utc>,
) -> Result<Vec<Inserted>, StoreError> {
    let rows: Vec<Model> = new
        .iter()
        .map(|it| row_of(it, now))
        .collect::<Result<_, _>>()?;
    let stored = insert_rows(conn, &rows).await?;
    let there = existing(conn, source, &rows, &stored).await?;
    let inserted = rows
        .into_iter()
        .map(|row| {
            if stored.contains(&row.id) {
                return Ok(Inserted::New(Request::try_from(row)?));
            }
            let there =
                there
                    .get(&row.external_id)
                    .cloned()
                    .ok_or_else(|| StoreError::Conflict {
                        constraint: "requests_natural_key".to_owned(),
                    })?;
            let before = original(&there)?;
            Ok(Inserted::Existing(
                Request::try_from(there)?,
                Box::new(before),
            ))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let fresh: Vec<_> = new
        .iter()
        .zip(&inserted)
        .filter_map(|(new, inserted)| match inserted {
            Inserted::New(request) => Some((&new.actor, request)),
            Inserted::Existing(..) => None,
        })
        .collect();
    tell(conn, &fresh, now).await?;
    Ok(inserted)
}

/// The ids of the rows that were stored; the others are there already.
async fn insert_rows(
    conn: &impl ConnectionTrait,
    rows: &[Model],
) -> Result<HashSet<Uuid>, StoreError> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let insertion = insertion(conn, rows).then(" WHERE TRUE").then(UNLESS_THERE);
    let stored: Vec<Stored> = insertion.all(conn).await?;
    Ok(stored.into_iter().map(|row| row.id).collect())
}

/// The statement that stores rows, at least one; a condition and [`UNLESS_THERE`] are to follow.
pub(super) fn insertion(conn: &impl ConnectionTrait, rows: &[Model]) -> Sql {
    Sql::given(conn, COLUMNS, rows.iter().map(values).collect()).then(
        "INSERT INTO requests (id, source, external_id, route, category, item, requester, requested_for, asked, \
         state, has_callback, watched, version, created_at, updated_at, asked_originally) \
         SELECT *, 'null' FROM given",
    )
}

/// Gives the ids of what is new.
pub(super) const UNLESS_THERE: &str = " ON CONFLICT (source, external_id) DO NOTHING RETURNING id";

/// What a new row holds; the other columns are empty.
const COLUMNS: &str = "id uuid, source text, external_id text, route text, category text, item text, requester text, \
     requested_for text, asked jsonb, state text, has_callback boolean, watched boolean, \
     version bigint, created_at timestamptz, updated_at timestamptz";

fn values(row: &Model) -> Vec<Value> {
    vec![
        row.id.into(),
        row.source.as_str().into(),
        row.external_id.as_str().into(),
        row.route.as_str().into(),
        row.category.as_str().into(),
        row.item.as_str().into(),
        row.requester.as_str().into(),
        row.requested_for.as_str().into(),
        row.asked.clone().into(),
        row.state.as_str().into(),
        row.has_callback.into(),
        row.watched.into(),
        row.version.into(),
        row.created_at.into(),
        row.updated_at.into(),
    ]
}

/// The rows that stood in the way, by external id.
async fn existing(
    conn: &impl ConnectionTrait,
    source: &str,
    rows: &[Model],
    stored: &HashSet<Uuid>,
) -> Result<HashMap<String, Model>, StoreError> {
    let names: Vec<&str> = rows
        .iter()
        .filter(|row| !stored.contains(&row.id))
        .map(|row| row.external_id.as_str())
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let there = Entity::find()
        .filter(Column::Source.eq(source))
        .filter(Column::ExternalId.is_in(names))
        .all(conn)
        .await?;
    Ok(there
        .into_iter()
        .map(|row| (row.external_id.clone(), row))
        .collect())
}
