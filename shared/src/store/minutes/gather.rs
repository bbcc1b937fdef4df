//! What jobs have left of a minute: rows by the time with which their ids begin, and audit entries by their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{ALL, MINUTE};
use crate::figures::Figures;
use crate::job::JobKind;
use crate::store::ids::first_id;
use crate::store::sql::Sql;
use crate::store::{CHUNK, StoreError, Tx};

/// Runs that one statement reads.
const PAGE: usize = 1_000;
/// A withdrawal takes the time of its audit entry and of the end of its jobs one after the other; they are no further apart.
const APART: TimeDelta = TimeDelta::seconds(10);

/// The figures of a minute, by lane.
type Lanes = BTreeMap<String, Figures>;

/// Everything that was done in a minute, by lane and for all of them together.
pub(super) async fn gather(tx: &Tx, minute: DateTime<Utc>) -> Result<Lanes, StoreError> {
    let mut lanes = Lanes::from([(ALL.to_owned(), Figures::default())]);
    created(tx, minute, &mut lanes).await?;
    runs(tx, minute, &mut lanes).await?;
    cancelled(tx, minute, &mut lanes).await?;
    Ok(lanes)
}

/// Writes something down for a lane and for all of them; of a job that is gone the lane is not known.
fn note(lanes: &mut Lanes, lane: Option<&str>, deed: impl Fn(&mut Figures)) {
    for name in [Some(ALL), lane].into_iter().flatten() {
        deed(lanes.entry(name.to_owned()).or_default());
    }
}

#[derive(FromQueryResult)]
struct Count {
    lane: String,
    count: i64,
}

/// Jobs that were stored: their ids begin with the time.
async fn created(tx: &Tx, minute: DateTime<Utc>, lanes: &mut Lanes) -> Result<(), StoreError> {
    let counts: Vec<Count> = Sql::new(tx, "SELECT lane, COUNT(*) AS count FROM jobs WHERE id > ")
        .bind(first_id(minute))
        .then(" AND id < ")
        .bind(first_id(minute + MINUTE))
        .then(" GROUP BY lane")
        .all(tx)
        .await?;
    for it in counts {
        note(lanes, Some(&it.lane), |figures| {
            figures.created += it.count.unsigned_abs();
        });
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Run {
    id: Uuid,
    job_id: Uuid,
    token: i64,
    outcome: String,
    finished_at: DateTime<Utc>,
    calls: Json,
    kind: Option<String>,
    lane: Option<String>,
    created_at: Option<DateTime<Utc>>,
}

impl Run {
    fn has_ended_its_job(&self) -> bool {
        matches!(self.outcome.as_str(), "done" | "dead")
    }
}

/// What a call took; the rest of it is of no interest here.
#[derive(Deserialize)]
struct Call {
    duration_ms: u64,
}

/// Runs that ended, page by page. A page, and not the minute as a whole, is joined with its jobs: PostgreSQL would read all jobs there are
/// for that.
async fn runs(tx: &Tx, minute: DateTime<Utc>, lanes: &mut Lanes) -> Result<(), StoreError> {
    let (mut behind, until) = (first_id(minute), first_id(minute + MINUTE));
    loop {
        let page: Vec<Run> = Sql::new(
            tx,
            "SELECT page.id, page.job_id, page.token, page.outcome, page.finished_at, page.calls, jobs.kind, jobs.lane, jobs.created_at \
             FROM (SELECT id, job_id, token, outcome, finished_at, calls FROM attempts WHERE id > ",
        )
        .bind(behind)
        .then(" AND id < ")
        .bind(until)
        .then(" ORDER BY id LIMIT ")
        .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
        .then(") AS page LEFT JOIN jobs ON jobs.id = page.job_id ORDER BY page.id")
        .all(tx)
        .await?;
        let begins = begins(tx, &page).await?;
        for run in &page {
            note_run(run, &begins, lanes)?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => behind = last.id,
            _ => return Ok(()),
        }
    }
}

fn note_run(
    run: &Run,
    begins: &HashMap<Uuid, DateTime<Utc>>,
    lanes: &mut Lanes,
) -> Result<(), StoreError> {
    let calls: Vec<Call> = serde_json::from_value(run.calls.clone())
        .map_err(|error| StoreError::corrupt("calls of an attempt", error))?;
    let begin = begins.get(&run.id).copied().or(run.created_at);
    let begin = begin.filter(|_| run.has_ended_its_job());
    let took = begin.map(|begin| (run.finished_at - begin).num_milliseconds().max(0));
    // One that found its request withdrawn makes no call.
    let made_a_ticket =
        run.kind.as_deref() == Some(JobKind::CreateTicket.as_str()) && !calls.is_empty();
    note(lanes, run.lane.as_deref(), |figures| {
        figures.attempts += 1;
        match run.outcome.as_str() {
            "done" => {
                figures.done += 1;
                figures.tickets += u64::from(made_a_ticket);
            }
            "dead" => figures.dead += 1,
            "parked" => figures.parked += 1,
            _ => figures.retried += 1,
        }
        for call in &calls {
            figures.calls.note(call.duration_ms);
        }
        if let Some(took) = took {
            figures.latency.note(took.unsigned_abs());
        }
    });
    Ok(())
}

#[derive(FromQueryResult)]
struct End {
    id: Uuid,
    job_id: Uuid,
    finished_at: DateTime<Utc>,
}

/// Where the work of a run began, for those whose job had ended once before: it was asked for again while it ran, or given a fresh start.
/// From its first storing on it would be counted twice.
async fn begins(tx: &Tx, page: &[Run]) -> Result<HashMap<Uuid, DateTime<Utc>>, StoreError> {
    let again: Vec<&Run> = page
        .iter()
        .filter(|run| run.token > 1 && run.has_ended_its_job())
        .collect();
    let Some(last) = again.last() else {
        return Ok(HashMap::new());
    };
    let jobs: BTreeSet<Uuid> = again.iter().map(|run| run.job_id).collect();
    let ends: Vec<End> = Sql::new(
        tx,
        "SELECT id, job_id, finished_at FROM attempts WHERE outcome IN ('done', 'dead') AND job_id",
    )
    .one_of(&Vec::from_iter(jobs))
    .then(" AND id < ")
    .bind(last.id)
    .all(tx)
    .await?;
    let before = |run: &&Run| {
        let of_it = |end: &&End| end.job_id == run.job_id && end.id < run.id;
        let end = ends.iter().filter(of_it).max_by_key(|end| end.id)?;
        Some((run.id, end.finished_at))
    };
    Ok(again.iter().filter_map(before).collect())
}

#[derive(FromQueryResult)]
struct Subject {
    subject_kind: String,
    subject_id: String,
}

#[derive(FromQueryResult)]
struct Cancelled {
    id: Uuid,
    lane: String,
}

/// Jobs that were cancelled leave no run: the audit trail says whose they may be, each row when it ended.
async fn cancelled(tx: &Tx, minute: DateTime<Utc>, lanes: &mut Lanes) -> Result<(), StoreError> {
    let subjects: Vec<Subject> = Sql::new(
        tx,
        "SELECT subject_kind, subject_id FROM audit_entries WHERE ((subject_kind = 'job' AND action = 'job.cancelled') \
         OR (subject_kind = 'request' AND to_word IN ('cancelled', 'denied'))) AND at >= ",
    )
    .bind(minute - APART)
    .then(" AND at < ")
    .bind(minute + MINUTE + APART)
    .all(tx)
    .await?;
    let mut ended = BTreeMap::new();
    for (kind, column) in [("job", "id"), ("request", "request_id")] {
        let ids = subjects.iter().filter(|it| it.subject_kind == kind);
        let ids: BTreeSet<Uuid> = ids.filter_map(|it| it.subject_id.parse().ok()).collect();
        for ids in Vec::from_iter(ids).chunks(CHUNK) {
            let rows: Vec<Cancelled> = Sql::new(
                tx,
                "SELECT id, lane FROM jobs WHERE state = 'cancelled' AND finished_at >= ",
            )
            .bind(minute)
            .then(" AND finished_at < ")
            .bind(minute + MINUTE)
            .then(" AND ")
            .then(column)
            .one_of(ids)
            .all(tx)
            .await?;
            ended.extend(rows.into_iter().map(|row| (row.id, row.lane)));
        }
    }
    for lane in ended.values() {
        note(lanes, Some(lane), |figures| figures.cancelled += 1);
    }
    Ok(())
}
