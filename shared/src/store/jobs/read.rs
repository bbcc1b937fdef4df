//! Jobs as people and the API see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::job::JobState;
use crate::store::entities::jobs::{Column, Entity, Model};
use crate::store::sql::Sql;
use crate::store::{StoreError, requests};

use super::Holder;

/// A stored job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Its kind as stored; may be unknown to this program.
    pub kind: String,
    /// Its lane.
    pub lane: String,
    /// Its connection.
    pub connection: Option<String>,
    /// Its request.
    pub request_id: Option<Uuid>,
    /// Its payload as stored.
    pub payload: Json,
    /// Where it stands.
    pub state: JobState,
    /// Smaller runs first.
    pub priority: i16,
    /// When it may run.
    pub due_at: DateTime<Utc>,
    /// When its doorbell was last rung.
    pub rung_at: Option<DateTime<Utc>>,
    /// Attempts used up.
    pub attempts: i32,
    /// Who holds it, or held it last.
    pub lease_owner: Option<String>,
    /// How often it was claimed.
    pub lease_token: i64,
    /// How many processes in a row have died while they held it.
    pub worker_deaths: i32,
    /// Key that keeps a second one out.
    pub dedup_key: Option<String>,
    /// Whether it was asked for again while it ran.
    pub again: bool,
    /// Class of its last error.
    pub last_error_class: Option<String>,
    /// Its last error, in words.
    pub last_error: Option<String>,
    /// When its first attempt began.
    pub first_started_at: Option<DateTime<Utc>>,
    /// When it was inserted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Trace context.
    pub traceparent: Option<String>,
}

/// How many jobs of a lane are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneCount {
    /// The lane.
    pub lane: String,
    /// The state.
    pub state: JobState,
    /// How many; 1,000 dead or parked ones stand for that many or more.
    pub count: u64,
    /// Since when the oldest of them is due. `None` for dead and parked ones.
    pub oldest: Option<DateTime<Utc>>,
}

/// As many dead or parked jobs of a lane are counted: enough to tell that something is wrong.
const KEPT_COUNTED: i64 = 1_000;

#[derive(FromQueryResult)]
struct StateRow {
    id: Uuid,
    state: String,
}

#[derive(FromQueryResult)]
struct CountRow {
    lane: String,
    state: String,
    count: i64,
    oldest: Option<DateTime<Utc>>,
}

/// The job of that id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Job>, StoreError> {
    Entity::find_by_id(id)
        .one(conn)
        .await?
        .map(Job::try_from)
        .transpose()
}

/// The job of that id, if it is about a request of `source`.
pub async fn find_of_source(
    conn: &impl ConnectionTrait,
    source: &str,
    id: Uuid,
) -> Result<Option<Job>, StoreError> {
    let Some(job) = find(conn, id).await? else {
        return Ok(None);
    };
    let Some(request_id) = job.request_id else {
        return Ok(None);
    };
    let request = requests::find_of_source(conn, source, request_id).await?;
    Ok(request.map(|_| job))
}

/// Those of `ids` that have ended, in one statement.
pub async fn ended(conn: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<Holder> = Sql::new(
        conn,
        "SELECT id FROM jobs WHERE state IN ('done', 'dead', 'cancelled') AND id",
    )
    .one_of(ids)
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Where those of `ids` stand that are stored, in the order of `ids`.
pub async fn states(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, JobState)>, StoreError> {
    let rows: Vec<StateRow> = Sql::new(conn, "SELECT id, state FROM jobs WHERE id")
        .one_of(ids)
        .all(conn)
        .await?;
    let found: HashMap<Uuid, JobState> = rows
        .into_iter()
        .map(|row| Ok((row.id, state(&row.state)?)))
        .collect::<Result<_, StoreError>>()?;
    let known = |id: &Uuid| found.get(id).map(|state| (*id, *state));
    Ok(ids.iter().filter_map(known).collect())
}

/// The jobs that a process holds, the first hundred.
pub async fn held_by(conn: &impl ConnectionTrait, owner: &str) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<Holder> = Sql::new(
        conn,
        "SELECT id FROM jobs WHERE state = 'running' AND lease_owner = ",
    )
    .bind(owner)
    .then(" ORDER BY id LIMIT 100")
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Whether a job that has not ended holds this key.
pub async fn is_live(conn: &impl ConnectionTrait, dedup_key: &str) -> Result<bool, StoreError> {
    // As the partial index says it, or SQLite would not use it.
    let holder: Option<Holder> = Sql::new(
        conn,
        "SELECT id FROM jobs WHERE finished_at IS NULL AND dedup_key = ",
    )
    .bind(dedup_key)
    .one(conn)
    .await?;
    Ok(holder.is_some())
}

/// The jobs about a request, oldest first.
pub async fn of_request(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
) -> Result<Vec<Job>, StoreError> {
    let rows = Entity::find()
        .filter(Column::RequestId.eq(request_id))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// How many jobs of each lane are in each state, but for those that ended well or were cancelled: they only grow. So do
/// dead ones where nobody looks after them; [`KEPT_COUNTED`] dead or parked ones stand for that many or more.
pub async fn counts(conn: &impl ConnectionTrait) -> Result<Vec<LaneCount>, StoreError> {
    let mut rows = live_counts(conn).await?;
    rows.extend(kept_counts(conn).await?);
    rows.sort_by(|a, b| (&a.lane, &a.state).cmp(&(&b.lane, &b.state)));
    rows.into_iter()
        .map(|row| {
            Ok(LaneCount {
                lane: row.lane,
                state: state(&row.state)?,
                count: u64::try_from(row.count).unwrap_or_default(),
                oldest: row.oldest,
            })
        })
        .collect()
}

async fn live_counts(conn: &impl ConnectionTrait) -> Result<Vec<CountRow>, StoreError> {
    // One branch per partial index, so that the rows of the past are never looked at.
    Sql::new(
        conn,
        "SELECT lane, state, COUNT(*) AS count, MIN(due_at) AS oldest FROM jobs WHERE state = 'due' GROUP BY lane, state \
         UNION ALL \
         SELECT lane, state, COUNT(*) AS count, MIN(due_at) AS oldest FROM jobs WHERE state = 'rung' GROUP BY lane, state \
         UNION ALL \
         SELECT lane, state, COUNT(*) AS count, MIN(due_at) AS oldest FROM jobs WHERE state = 'running' GROUP BY lane, state",
    )
    .all(conn)
    .await
}

/// The lanes are found by steps through the index, and no more of each is counted than is told.
async fn kept_counts(conn: &impl ConnectionTrait) -> Result<Vec<CountRow>, StoreError> {
    Sql::new(
        conn,
        "WITH RECURSIVE kept(lane) AS (SELECT MIN(lane) FROM jobs WHERE state IN ('parked', 'dead') UNION ALL \
         SELECT (SELECT MIN(jobs.lane) FROM jobs WHERE jobs.state IN ('parked', 'dead') AND jobs.lane > kept.lane) \
         FROM kept WHERE kept.lane IS NOT NULL), \
         counts AS (SELECT kept.lane, states.state, (SELECT COUNT(*) FROM (SELECT 1 FROM jobs \
         WHERE jobs.state IN ('parked', 'dead') AND jobs.lane = kept.lane AND jobs.state = states.state LIMIT ",
    )
    .bind(KEPT_COUNTED)
    .then(
        ") AS counted) AS count FROM kept CROSS JOIN (SELECT 'parked' AS state UNION ALL SELECT 'dead') AS states \
         WHERE kept.lane IS NOT NULL) \
         SELECT lane, state, count, NULL AS oldest FROM counts WHERE count > 0",
    )
    .all(conn)
    .await
}

fn state(word: &str) -> Result<JobState, StoreError> {
    word.parse()
        .map_err(|error| StoreError::corrupt("state of a job", error))
}

impl TryFrom<Model> for Job {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            lane: row.lane,
            connection: row.connection,
            request_id: row.request_id,
            payload: row.payload,
            state: state(&row.state)?,
            priority: row.priority,
            due_at: row.due_at,
            rung_at: row.rung_at,
            attempts: row.attempts,
            lease_owner: row.lease_owner,
            lease_token: row.lease_token,
            worker_deaths: row.worker_deaths,
            dedup_key: row.dedup_key,
            again: row.again,
            last_error_class: row.last_error_class,
            last_error: row.last_error,
            first_started_at: row.first_started_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
            traceparent: row.traceparent,
        })
    }
}
