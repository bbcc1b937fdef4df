use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use serde_json::Value;
use shared::config::WorkerSettings;
use shared::job::JobKind;
use shared::operator::Role;
use shared::store::StoreError;
use shared::store::lane_limits::{self, Change, LaneLimit};
use utoipa::ToSchema;

use super::caller::Operating;
use super::queues::{QueueList, all, no_such_lane};
use crate::Scheduler;
use crate::api::documented_problems::OfActing;
use crate::api::fields::{Fields, Text};
use crate::api::json::read_json;
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;
use crate::lanes::configured;

/// How many jobs of a lane each worker may run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewLimit {
    /// As many; `None` goes back to the configured figure.
    pub(crate) jobs: Option<u32>,
    /// What was set when somebody looked; `None`: nothing.
    pub(crate) expected: Option<u32>,
    pub(crate) reason: Option<String>,
}

/// How many jobs at a time.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct ConcurrencyBody {
    /// So many jobs of the lane at a time, for each worker.
    #[schema(minimum = 1, example = 8)]
    jobs: u32,
    /// `concurrency.set` of the lane as it was when you looked; null where nothing was set. When it is another by now, nothing is done.
    #[schema(required)]
    expected: Option<u32>,
    #[schema(example = "the instance was given more semaphores")]
    reason: Option<String>,
}

/// What is taken back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct NoConcurrencyBody {
    /// `concurrency.set` of the lane as it was when you looked. When it is another by now, nothing is done.
    #[schema(required)]
    expected: Option<u32>,
    reason: Option<String>,
}

/// Set how many jobs of a queue run at a time
///
/// For each worker that serves it, instead of the configured figure. Workers take it up with their next heart-beat, without a restart; when
/// it becomes less, what runs comes to its end. Stays so until somebody changes it or takes it back. To let nothing run, pause the queue.
#[utoipa::path(
    put,
    path = "/v1/ops/queues/{lane}/concurrency",
    tag = "operators",
    params(("lane" = String, Path, description = "The lane", example = "create-ticket@main")),
    request_body = ConcurrencyBody,
    responses((status = 200, description = "Every lane, as it is now", body = QueueList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn set_concurrency(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(lane): Path<String>,
    request: Request<Body>,
) -> Result<Json<QueueList>, Problem> {
    operating.may(Role::Operator)?;
    let kind = kind_of(&scheduler, &lane)?;
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let new = read(&body, Some(kind))?;
    set(&scheduler, &operating, &lane, &new).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Go back to the configured number of jobs at a time
///
/// Workers take it up with their next heart-beat.
#[utoipa::path(
    delete,
    path = "/v1/ops/queues/{lane}/concurrency",
    tag = "operators",
    params(("lane" = String, Path, description = "The lane", example = "create-ticket@main")),
    request_body = NoConcurrencyBody,
    responses((status = 200, description = "Every lane, as it is now", body = QueueList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn unset_concurrency(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(lane): Path<String>,
    request: Request<Body>,
) -> Result<Json<QueueList>, Problem> {
    operating.may(Role::Operator)?;
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let new = read(&body, None)?;
    set(&scheduler, &operating, &lane, &new).await?;
    Ok(Json(all(&scheduler).await?))
}

/// `sets`: the kind of the lane, where a figure is to be set and not taken back.
fn read(body: &Value, sets: Option<JobKind>) -> Result<NewLimit, Problem> {
    let mut fields = Fields::of(body, "").map_err(|error| Problem::of_fields(vec![error]))?;
    let range =
        |kind| 1..=i64::try_from(WorkerSettings::most_concurrency(kind)).unwrap_or(i64::MAX);
    let number = |it: Option<i64>| it.and_then(|it| u32::try_from(it).ok());
    let jobs = sets.and_then(|kind| {
        if !fields.has("jobs") {
            fields.missing::<()>("jobs", "send how many jobs may run at a time");
        }
        number(fields.integer("jobs", range(kind)))
    });
    let expected = number(fields.integer("expected", range(JobKind::CreateTicket)));
    if body.get("expected").is_none() {
        let fix = "send concurrency.set of the lane as GET /v1/ops/queues showed it; null where nothing was set";
        fields.missing::<()>("expected", fix);
    }
    let reason = fields.text("reason", 500, Text::Line);
    match fields.finish() {
        errors if errors.is_empty() => Ok(NewLimit {
            jobs,
            expected,
            reason,
        }),
        errors => Err(Problem::of_fields(errors)),
    }
}

/// Sets the figure of a lane, or takes it back.
pub(crate) async fn set(
    scheduler: &Scheduler,
    operating: &Operating,
    lane: &str,
    new: &NewLimit,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let kind = kind_of(scheduler, lane)?;
    let tx = scheduler.store.begin().await?;
    // Two who raise different lanes at once would each find room that only one of them can have.
    lane_limits::hold(&tx).await?;
    let limits = lane_limits::all(&tx).await?;
    let present = limits.iter().find(|it| it.lane == lane);
    if present.map(|it| it.jobs) != new.expected {
        return Err(stale(lane, present));
    }
    if new.jobs == new.expected {
        let what = match present {
            Some(limit) => told(limit),
            None => format!("{lane}: the configured figure holds already"),
        };
        let detail = format!("{what}. Nothing was changed.");
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    check(scheduler, &limits, lane, kind, new.jobs)?;
    let change = Change {
        lane,
        before: new.expected,
        after: new.jobs,
        reason: new.reason.as_deref(),
    };
    if !lane_limits::change(&tx, &change, &operating.actor(), scheduler.now()).await? {
        let limits = lane_limits::all(&tx).await?;
        return Err(stale(lane, limits.iter().find(|it| it.lane == lane)));
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

/// What a worker can bear: the range of the configuration, and on PostgreSQL the pool that all jobs of a process share. `jobs`: the
/// figure that is asked for; `None` is the configured one, which may be more than what was set.
fn check(
    scheduler: &Scheduler,
    limits: &[LaneLimit],
    lane: &str,
    kind: JobKind,
    jobs: Option<u32>,
) -> Result<(), Problem> {
    let most = WorkerSettings::most_concurrency(kind);
    let settings = &scheduler.settings;
    let wanted = match jobs {
        Some(jobs) => usize::try_from(jobs).unwrap_or(usize::MAX),
        None => settings.worker.concurrency(kind),
    };
    if !(1..=most).contains(&wanted) {
        let fix = format!("send 1 to {most}; to let nothing run, pause the lane");
        return Err(unfit(format!("is {wanted}"), fix));
    }
    let served = settings.worker.kinds();
    let figure = |name: &str, kind: JobKind| {
        let set = limits.iter().find(|it| it.lane == name);
        set.map_or(settings.worker.concurrency(kind), |it| {
            usize::try_from(it.jobs).unwrap_or(usize::MAX)
        })
    };
    let others: usize = configured(settings)
        .into_iter()
        .filter(|(name, kind)| name != lane && served.contains(kind))
        .map(|(name, kind)| figure(&name, kind))
        .sum();
    let Some(room) = settings.jobs_that_fit() else {
        return Ok(());
    };
    // Whoever asks for less is let, however full the pool is.
    if others + wanted <= room || wanted <= figure(lane, kind) {
        return Ok(());
    }
    let newest = limits.iter().filter(|it| it.lane != lane);
    let newest = newest
        .max_by_key(|it| it.at)
        .map_or_else(String::new, |it| {
            format!(" (the last of them to change: {})", told(it))
        });
    let is = if jobs.is_some() { "is" } else { "would be" };
    let (sum, pool) = (others + wanted, settings.database.max_connections);
    let problem = format!(
        "{is} {wanted}, which makes {sum} jobs at a time with the {others} of the other lanes{newest}; a pool of {pool} database \
         connections bears {room}"
    );
    let left = room.saturating_sub(others);
    let fix = format!("send {left} or less, lower another lane, or raise database.max_connections");
    Err(unfit(problem, fix))
}

fn unfit(problem: String, fix: String) -> Problem {
    Problem::of_fields(vec![FieldError::new("/jobs", problem, fix)])
}

/// One kind of the queue of a lane.
pub(crate) fn kind_of(scheduler: &Scheduler, lane: &str) -> Result<JobKind, Problem> {
    let kind = configured(&scheduler.settings).get(lane).copied();
    kind.ok_or_else(|| no_such_lane(scheduler, lane, ""))
}

fn stale(lane: &str, present: Option<&LaneLimit>) -> Problem {
    let what = match present {
        Some(limit) => told(limit),
        None => format!("{lane}: nothing is set by now, so the configured figure holds"),
    };
    let detail = format!(
        "{what}. Somebody was faster, or this page is old; nothing was changed. Look again, then decide."
    );
    Problem::new(Kind::StaleAction, detail)
}

fn told(limit: &LaneLimit) -> String {
    format!(
        "{}: set to {} by {} at {}",
        limit.lane,
        limit.jobs,
        limit.by,
        limit.at.to_rfc3339()
    )
}
