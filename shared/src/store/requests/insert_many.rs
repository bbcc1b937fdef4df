//! Takes many requests in with a handful of statements.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult,
};
use uuid::Uuid;

use super::asked;
use super::insert::{Inserted, NewRequest, row_of, tell};
use crate::request::Request;
use crate::store::StoreError;
use crate::store::entities::requests::{Column, Entity, Model};

/// What [`insert`](super::insert) does, for many requests of one source at once: what became of each, in order.
///
/// What stands twice in `new` is new the first time and existing the second. A statement binds 18 values a request;
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
            let before = asked(there.asked_originally.clone())?;
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
    let keep = OnConflict::columns([Column::Source, Column::ExternalId])
        .do_nothing()
        .to_owned();
    let inserted =
        Entity::insert_many(rows.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(keep)
            .try_insert()
            .exec_with_returning_keys(conn)
            .await?;
    Ok(match inserted {
        TryInsertResult::Inserted(ids) => ids.into_iter().collect(),
        TryInsertResult::Empty | TryInsertResult::Conflicted => HashSet::new(),
    })
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
