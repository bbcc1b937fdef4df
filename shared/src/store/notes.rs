//! Comments of the source that are to appear in the ticket's journal exactly once.
//!
//! A journal entry cannot be sent twice harmlessly, so a note is marked before it is sent: one that carries
//! `last_sent_at` is looked up by its marker before it is sent again, and not before that send can no longer arrive (N2).

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder,
};
use serde::Serialize;
use uuid::Uuid;

use super::StoreError;
use super::entities::notes::{Column, Entity, Model};
use super::sql::Sql;
use crate::job::Lease;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its id, from `store::new_id`.
    pub id: Uuid,
    /// Its request.
    pub request_id: Uuid,
    /// Who wrote it, as the source names people.
    pub author: String,
    /// What was written.
    pub text: String,
    /// Whether the requester may see it (`comments`) or not (`work_notes`).
    pub visible: bool,
    /// The words by which it is found again in the journal.
    pub marker: String,
    /// When it was first sent, perhaps without an answer.
    pub first_sent_at: Option<DateTime<Utc>>,
    /// When it was last sent, perhaps without an answer.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// When it was known to be in the journal.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the source gave it.
    pub created_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Noted {
    request_id: Uuid,
}

/// Stores a note.
pub async fn insert(conn: &impl ConnectionTrait, note: &Note) -> Result<(), StoreError> {
    let row = Model {
        id: note.id,
        request_id: note.request_id,
        author: note.author.clone(),
        text: note.text.clone(),
        visible: note.visible,
        marker: note.marker.clone(),
        first_sent_at: note.first_sent_at,
        last_sent_at: note.last_sent_at,
        sent_at: note.sent_at,
        created_at: note.created_at,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// The notes of a request that are not known to be in the journal, in the order they were given.
pub async fn pending(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
) -> Result<Vec<Note>, StoreError> {
    let rows = Entity::find()
        .filter(Column::RequestId.eq(request_id))
        .filter(Column::SentAt.is_null())
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(Note::from).collect())
}

/// Those of several requests that have such a note.
pub async fn pending_of(
    conn: &impl ConnectionTrait,
    request_ids: &[Uuid],
) -> Result<HashSet<Uuid>, StoreError> {
    let rows: Vec<Noted> = Sql::new(
        conn,
        "SELECT DISTINCT request_id FROM notes WHERE sent_at IS NULL AND request_id",
    )
    .one_of(request_ids)
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.request_id).collect())
}

/// Marks a note before it is sent, in a statement of its own. False when it must not be sent: the lease is lost, or the note is
/// in the journal already.
pub async fn mark_sending(
    conn: &impl ConnectionTrait,
    id: Uuid,
    lease: &Lease,
    job_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE notes SET last_sent_at = ")
        .bind(now)
        .then(", first_sent_at = COALESCE(first_sent_at, ")
        .bind(now)
        .then(") WHERE sent_at IS NULL AND id = ")
        .bind(id)
        .then(" AND EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND id = ")
        .bind(job_id)
        .then(" AND lease_owner = ")
        .bind(lease.owner.as_str())
        .then(" AND lease_token = ")
        .bind(lease.token)
        .postgres(" FOR SHARE")
        .then(")")
        .run(conn)
        .await?;
    Ok(touched == 1)
}

/// Takes the mark of a send back that was refused for certain: the note is again as it was read before.
pub async fn mark_refused(conn: &impl ConnectionTrait, before: &Note) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE notes SET first_sent_at = ")
        .bind(before.first_sent_at)
        .then(", last_sent_at = ")
        .bind(before.last_sent_at)
        .then(" WHERE sent_at IS NULL AND id = ")
        .bind(before.id)
        .run(conn)
        .await?;
    Ok(())
}

/// Marks a note as seen in the journal; the first moment stays.
pub async fn mark_sent(
    conn: &impl ConnectionTrait,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE notes SET sent_at = ")
        .bind(now)
        .then(" WHERE sent_at IS NULL AND id = ")
        .bind(id)
        .run(conn)
        .await?;
    Ok(())
}

/// All notes of a request, in the order they were given.
pub async fn of_request(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
) -> Result<Vec<Note>, StoreError> {
    let rows = Entity::find()
        .filter(Column::RequestId.eq(request_id))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(Note::from).collect())
}

impl From<Model> for Note {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            request_id: row.request_id,
            author: row.author,
            text: row.text,
            visible: row.visible,
            marker: row.marker,
            first_sent_at: row.first_sent_at,
            last_sent_at: row.last_sent_at,
            sent_at: row.sent_at,
            created_at: row.created_at,
        }
    }
}
