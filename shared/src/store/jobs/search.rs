//! Finds jobs for people: newest first, page by page, among a million that have ended.
//!
//! Ids begin with their time, so the walk goes back by the primary key and a window of creation is a range of ids. An index for each
//! filter would cost every job a write; a page looks at so many rows at most instead, and says how far back it has come.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read::Job;
use crate::job::JobState;
use crate::store::StoreError;
use crate::store::entities::jobs::Model;
use crate::store::ids::{first_id, time_of};
use crate::store::sql::{Sql, anywhere};

/// Rows that one page looks at, at most.
const LOOKS: i64 = 50_000;
/// As many jobs that have not ended are looked at one by one; where more wait, the newest of them are the newest of all.
const FEW: i64 = 20_000;

/// Which jobs; an empty filter means all. What is set must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    /// In one of these states; empty means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<JobState>,
    /// Of this kind, such as `create_ticket.v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In this lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Of this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// About this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// Whose last error is of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_class: Option<String>,
    /// Whose last error says this, in upper or lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Stored from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<DateTime<Utc>>,
    /// Stored before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<DateTime<Utc>>,
    /// First run from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_after: Option<DateTime<Utc>>,
    /// First run before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_before: Option<DateTime<Utc>>,
    /// Ended from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_after: Option<DateTime<Utc>>,
    /// Ended before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_before: Option<DateTime<Utc>>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// Where the next page begins: behind this job. `None` when there is nothing more to look at.
    pub next: Option<Uuid>,
    /// How far back this page has looked when it is not full: older jobs may match.
    pub looked_back_to: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Counted {
    count: i64,
}

#[derive(FromQueryResult)]
struct Edge {
    id: Uuid,
}

/// At most `limit` jobs behind `after`.
pub async fn search(
    conn: &impl ConnectionTrait,
    filter: &JobFilter,
    after: Option<Uuid>,
    limit: u64,
) -> Result<JobPage, StoreError> {
    let (narrow, edge) = if is_few(conn, filter).await? {
        (true, None)
    } else {
        (false, edge(conn, filter, after).await?)
    };
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows: Vec<Model> = matching(conn, "SELECT *", filter, narrow, after, edge)
        .then(" ORDER BY id DESC LIMIT ")
        .bind(most)
        .all(conn)
        .await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more).map(|row| row.id);
    let jobs = rows
        .into_iter()
        .map(Job::try_from)
        .collect::<Result<_, _>>()?;
    Ok(JobPage {
        jobs,
        next: last.or(edge),
        looked_back_to: edge.filter(|_| last.is_none()).map(time_of),
    })
}

/// How many jobs match, counted up to `most`.
pub async fn count_matching(
    conn: &impl ConnectionTrait,
    filter: &JobFilter,
    most: u64,
) -> Result<u64, StoreError> {
    let narrow = is_few(conn, filter).await?;
    let counted: Option<Counted> = Sql::new(conn, "SELECT COUNT(*) AS count FROM (")
        .nest(matching(conn, "SELECT 1", filter, narrow, None, None))
        .then(" LIMIT ")
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .then(") AS counted")
        .one(conn)
        .await?;
    let count = counted.map_or(0, |row| row.count);
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Whether only states are asked for that few jobs are in: then those are looked at, by the indexes of what has not ended.
pub(super) async fn is_few(
    conn: &impl ConnectionTrait,
    filter: &JobFilter,
) -> Result<bool, StoreError> {
    let is_kept = |state: &JobState| !matches!(state, JobState::Done | JobState::Cancelled);
    if filter.request_id.is_some() {
        return Ok(true);
    }
    if filter.state.is_empty() || !filter.state.iter().all(is_kept) {
        return Ok(false);
    }
    let counted: Option<Counted> = Sql::new(conn, "SELECT COUNT(*) AS count FROM (")
        .nest(in_states(conn, "SELECT 1", &filter.state))
        .then(" LIMIT ")
        .bind(FEW)
        .then(") AS counted")
        .one(conn)
        .await?;
    Ok(counted.is_some_and(|row| row.count < FEW))
}

/// The last row that a page looks at, when there are more behind it.
async fn edge(
    conn: &impl ConnectionTrait,
    filter: &JobFilter,
    after: Option<Uuid>,
) -> Result<Option<Uuid>, StoreError> {
    let edge: Option<Edge> = within(
        Sql::new(conn, "SELECT id FROM jobs WHERE TRUE"),
        filter,
        after,
    )
    .then(" ORDER BY id DESC LIMIT 1 OFFSET ")
    .bind(LOOKS - 1)
    .one(conn)
    .await?;
    Ok(edge.map(|row| row.id))
}

/// The rows of a filter; `narrow`: by state or request, else by the primary key and not further than `edge`.
pub(super) fn matching(
    conn: &impl ConnectionTrait,
    select: &str,
    filter: &JobFilter,
    narrow: bool,
    after: Option<Uuid>,
    edge: Option<Uuid>,
) -> Sql {
    let rows = match filter.request_id {
        Some(id) => Sql::new(conn, "SELECT * FROM jobs WHERE request_id = ").bind(id),
        None if narrow => in_states(conn, "SELECT *", &filter.state),
        None => {
            let rows = within(
                Sql::new(conn, "SELECT * FROM jobs WHERE TRUE"),
                filter,
                after,
            );
            match edge {
                Some(edge) => rows.then(" AND id >= ").bind(edge),
                None => rows,
            }
        }
    };
    let materialized = if narrow {
        "MATERIALIZED"
    } else {
        "NOT MATERIALIZED"
    };
    let looked = Sql::new(conn, "WITH looked AS ")
        .then(materialized)
        .then(" (")
        .nest(rows)
        .then(") ")
        .then(select)
        .then(" FROM looked WHERE TRUE");
    conditions(within(looked, filter, after), filter)
}

/// One branch for each state, so that each has its own partial index.
fn in_states(conn: &impl ConnectionTrait, select: &str, states: &[JobState]) -> Sql {
    let mut statement = Sql::new(conn, "");
    for (place, state) in states.iter().enumerate() {
        let condition = match state {
            // As the partial index says it.
            JobState::Parked | JobState::Dead => "state IN ('parked', 'dead') AND ",
            _ => "",
        };
        statement = statement
            .then(if place == 0 { "" } else { " UNION ALL " })
            .then(select)
            .then(" FROM jobs WHERE ")
            .then(condition)
            .then("state = '")
            .then(state.as_str())
            .then("'");
    }
    statement
}

/// The window of creation and the place of the page, as a range of ids.
fn within(mut statement: Sql, filter: &JobFilter, after: Option<Uuid>) -> Sql {
    let before = filter.created_before.map(first_id);
    if let Some(before) = after.into_iter().chain(before).min() {
        statement = statement.then(" AND id < ").bind(before);
    }
    if let Some(from) = filter.created_after.map(first_id) {
        statement = statement.then(" AND id >= ").bind(from);
    }
    statement
}

fn conditions(mut statement: Sql, filter: &JobFilter) -> Sql {
    if !filter.state.is_empty() {
        let words: Vec<String> = filter
            .state
            .iter()
            .map(|it| it.as_str().to_owned())
            .collect();
        statement = statement.then(" AND state").one_of(&words);
    }
    let equal = [
        ("kind", &filter.kind),
        ("lane", &filter.lane),
        ("connection", &filter.connection),
        ("last_error_class", &filter.error_class),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            statement = statement
                .then(" AND ")
                .then(column)
                .then(" = ")
                .bind(value.as_str());
        }
    }
    let times = [
        (" AND first_started_at >= ", filter.started_after),
        (" AND first_started_at < ", filter.started_before),
        (" AND finished_at >= ", filter.finished_after),
        (" AND finished_at < ", filter.finished_before),
    ];
    for (condition, moment) in times {
        if let Some(moment) = moment {
            statement = statement.then(condition).bind(moment);
        }
    }
    match &filter.text {
        Some(text) => statement
            .then(" AND LOWER(last_error) LIKE ")
            .bind(anywhere(text))
            .then(" ESCAPE '\\'"),
        None => statement,
    }
}
