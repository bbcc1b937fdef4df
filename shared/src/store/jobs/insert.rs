//! Inserts a job in the transaction of the fact that causes it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

use super::{Holder, QueuedJob};
use crate::job::{JobState, NewJob};
use crate::store::sql::Sql;
use crate::store::{StoreError, new_id};

/// Inserts a job; one that is due now as `rung`, so that the caller pushes its doorbell right after the commit.
///
/// `None` when a job with the same key has not ended. If that job is running it may have read the old state already,
/// so it is marked to run once more when it ends.
pub async fn insert(
    conn: &impl ConnectionTrait,
    new: &NewJob,
    now: DateTime<Utc>,
) -> Result<Option<QueuedJob>, StoreError> {
    let state = if new.due_at <= now {
        JobState::Rung
    } else {
        JobState::Due
    };
    insert_as(conn, new, state, now).await
}

/// Inserts a job as `due`, left for the relay: for lanes that are deep enough.
pub async fn insert_due(
    conn: &impl ConnectionTrait,
    new: &NewJob,
    now: DateTime<Utc>,
) -> Result<Option<QueuedJob>, StoreError> {
    insert_as(conn, new, JobState::Due, now).await
}

/// Inserts jobs whose keys nobody can hold yet, such as those of new requests, in one statement: as `rung` where the
/// flag says so, else left for the relay. A key that is held after all is a [`StoreError::Conflict`].
pub async fn insert_many(
    conn: &impl ConnectionTrait,
    new: &[(NewJob, bool)],
    now: DateTime<Utc>,
) -> Result<Vec<QueuedJob>, StoreError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let (insertion, queued) = insertion(conn, new, now);
    insertion.run(conn).await?;
    Ok(queued)
}

/// The statement of [`insert_many`] for one job at least, and what is to be rung once it is committed.
pub(in crate::store) fn insertion(
    conn: &impl ConnectionTrait,
    new: &[(NewJob, bool)],
    now: DateTime<Utc>,
) -> (Sql, Vec<QueuedJob>) {
    let mut rows = Vec::with_capacity(new.len());
    let mut queued = Vec::with_capacity(new.len());
    for (job, rung) in new {
        let id = new_id(now);
        rows.push(values(id, job, *rung, now));
        queued.push(queued_job(id, job, *rung));
    }
    (insert_rows(conn, rows), queued)
}

async fn insert_as(
    conn: &impl ConnectionTrait,
    new: &NewJob,
    state: JobState,
    now: DateTime<Utc>,
) -> Result<Option<QueuedJob>, StoreError> {
    let id = new_id(now);
    let rung = state == JobState::Rung;
    let holder: Option<Holder> = insert_rows(conn, vec![values(id, new, rung, now)])
        .then(
            " WHERE TRUE ON CONFLICT (dedup_key) WHERE finished_at IS NULL \
             DO UPDATE SET again = (jobs.state = 'running') RETURNING id",
        )
        .one(conn)
        .await?;
    let inserted = holder.is_some_and(|holder| holder.id == id);
    Ok(inserted.then(|| queued_job(id, new, rung)))
}

fn queued_job(id: Uuid, new: &NewJob, rung: bool) -> QueuedJob {
    QueuedJob {
        id,
        lane: new.lane(),
        kind: new.payload.kind(),
        traceparent: new.traceparent.clone(),
        rung,
        first: false,
    }
}

fn insert_rows(conn: &impl ConnectionTrait, rows: Vec<Vec<Value>>) -> Sql {
    let columns = "id uuid, kind text, lane text, connection text, request_id uuid, payload jsonb, state text, priority smallint, \
                   due_at timestamptz, rung_at timestamptz, dedup_key text, traceparent text, created_at timestamptz, \
                   updated_at timestamptz";
    Sql::given(conn, columns, rows).then(
        "INSERT INTO jobs (id, kind, lane, connection, request_id, payload, state, priority, due_at, rung_at, dedup_key, \
         traceparent, created_at, updated_at) SELECT * FROM given",
    )
}

fn values(id: Uuid, new: &NewJob, rung: bool, now: DateTime<Utc>) -> Vec<Value> {
    let state = if rung { JobState::Rung } else { JobState::Due };
    vec![
        id.into(),
        new.payload.kind().as_str().into(),
        new.lane().into(),
        new.connection.clone().into(),
        new.request_id.into(),
        new.payload.to_json().into(),
        state.as_str().into(),
        new.priority.into(),
        new.due_at.into(),
        rung.then_some(now).into(),
        new.dedup_key.clone().into(),
        new.traceparent.clone().into(),
        now.into(),
        now.into(),
    ]
}
