//! What an operator does with one job: always one transaction, always with an audit entry, and never half.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::operate::revive;
use super::read::{Job, find};
use crate::job::{JobKind, JobState};
use crate::store::audit::{self, Actor, Entry};
use crate::store::requests::{self, Applied, Change};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

/// Something that is done with jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    /// Gives a dead or parked job a fresh start.
    Retry,
    /// Lets a job run now that waits for its time.
    RunNow,
    /// Ends a job that no worker has touched.
    Cancel,
    /// Ends a job as dead with the next claim, whatever it has done.
    Kill,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// Done.
    Done,
    /// The job cannot be treated so; why, in words. Nothing was changed.
    Skipped(&'static str),
}

impl JobAction {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Retry, Self::RunNow, Self::Cancel, Self::Kill];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RunNow => "run_now",
            Self::Cancel => "cancel",
            Self::Kill => "kill",
        }
    }

    /// The states in which a job can be treated so.
    pub fn states(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[JobState::Dead, JobState::Parked],
            Self::RunNow => &[JobState::Due],
            Self::Cancel => &[JobState::Due, JobState::Rung, JobState::Parked],
            Self::Kill => &[
                JobState::Due,
                JobState::Rung,
                JobState::Parked,
                JobState::Running,
            ],
        }
    }
}

/// Treats a job.
pub async fn act(
    tx: &Tx,
    id: Uuid,
    action: JobAction,
    actor: &Actor,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Acted, StoreError> {
    let Some(job) = find(tx, id).await? else {
        return Ok(Acted::Skipped("it is no longer stored"));
    };
    if !action.states().contains(&job.state) {
        return Ok(Acted::Skipped(unfit(job.state)));
    }
    match action {
        JobAction::Retry => retry(tx, &job, actor, now).await,
        JobAction::RunNow => run_now(tx, &job, actor, reason, now).await,
        JobAction::Cancel => cancel(tx, &job, actor, reason, now).await,
        JobAction::Kill => kill(tx, &job, actor, reason, now).await,
    }
}

async fn retry(tx: &Tx, job: &Job, actor: &Actor, now: DateTime<Utc>) -> Result<Acted, StoreError> {
    if let (Ok(JobKind::CreateTicket), Some(request_id)) = (job.kind.parse(), job.request_id) {
        let request = requests::find(tx, request_id).await?;
        if request.is_some_and(|request| request.state.is_final()) {
            return Ok(Acted::Skipped(
                "its request has ended, and its source was told; it has to be asked again",
            ));
        }
    }
    Ok(if revive(tx, job.id, actor, now).await? {
        Acted::Done
    } else {
        Acted::Skipped("another job that has not ended does the same work")
    })
}

async fn run_now(
    tx: &Tx,
    job: &Job,
    actor: &Actor,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Acted, StoreError> {
    let touched = Sql::new(tx, "UPDATE jobs SET due_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE state = 'due' AND due_at > ")
        .bind(now)
        .then(" AND id = ")
        .bind(job.id)
        .run(tx)
        .await?;
    if touched == 0 {
        return Ok(Acted::Skipped("it is due already"));
    }
    tell(tx, job, "job.hastened", "due", actor, reason, now).await
}

async fn cancel(
    tx: &Tx,
    job: &Job,
    actor: &Actor,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Acted, StoreError> {
    // Requests are locked before jobs.
    let request = match job.request_id {
        Some(id) => requests::hold(tx, id).await?,
        None => None,
    };
    let touched = Sql::new(tx, "UPDATE jobs SET state = 'cancelled', finished_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE state IN ('due', 'rung', 'parked') AND lease_token = 0 AND id = ")
        .bind(job.id)
        .run(tx)
        .await?;
    if touched == 0 {
        return Ok(Acted::Skipped(
            "a worker has had it, so what it did may be out in the world; kill it instead",
        ));
    }
    let request = request.filter(|it| !it.state.is_final());
    if let Some(request) = request {
        let why = reason.map(|it| format!(": {it}")).unwrap_or_default();
        let change = Change {
            attention: Some(Some(format!(
                "Cancelled: the job {} was cancelled by {actor}{why}",
                job.kind
            ))),
            ..Change::default()
        };
        let applied = requests::apply(tx, &request, &change, actor, "job.cancelled", now).await?;
        if applied == Applied::Stale {
            return Err(StoreError::Conflict {
                constraint: "version of the request".to_owned(),
            });
        }
    }
    tell(tx, job, "job.cancelled", "cancelled", actor, reason, now).await
}

/// There is one writer of outcomes: the next worker that claims the job writes it dead, with all that follows for its request.
async fn kill(
    tx: &Tx,
    job: &Job,
    actor: &Actor,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Acted, StoreError> {
    let why = reason.map(|it| format!(": {it}")).unwrap_or_default();
    let sentence = format!("killed by {actor}{why}");
    let touched = Sql::new(tx, "UPDATE jobs SET sentence = ")
        .bind(sentence)
        .then(", due_at = CASE WHEN state = 'running' THEN due_at ELSE ")
        .bind(now)
        .then(" END, state = CASE WHEN state = 'parked' THEN 'due' ELSE state END, updated_at = CASE WHEN state = 'running' THEN \
               updated_at ELSE ")
        .bind(now)
        .then(" END WHERE sentence IS NULL AND state IN ('due', 'rung', 'parked', 'running') AND id = ")
        .bind(job.id)
        .run(tx)
        .await?;
    if touched == 0 {
        return Ok(Acted::Skipped("somebody has killed it already"));
    }
    tell(tx, job, "job.killed", "dead", actor, reason, now).await
}

fn unfit(state: JobState) -> &'static str {
    match state {
        JobState::Due => "it waits for its time",
        JobState::Rung => "it waits for a worker",
        JobState::Running => "it is running",
        JobState::Done => "it has ended well",
        JobState::Parked => "it is parked",
        JobState::Dead => "it is dead",
        JobState::Cancelled => "it was cancelled",
    }
}

async fn tell(
    conn: &impl ConnectionTrait,
    job: &Job,
    action: &str,
    to: &str,
    actor: &Actor,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Acted, StoreError> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "job",
        subject_id: &job.id.to_string(),
        from: Some(job.state.as_str()),
        to: Some(to),
        reason,
        detail: Json::Null,
    };
    audit::append(conn, &entry, now).await?;
    Ok(Acted::Done)
}
