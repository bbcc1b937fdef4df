use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::job::{JobKind, JobState, lane_name};
use shared::operator::Role;
use shared::queue::Lane;
use shared::store::jobs::{self, LaneCount};
use shared::store::switches::{self, PausedLanes, Switch};
use shared::store::{StoreError, processes};
use utoipa::ToSchema;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::{OfActing, OfOperating};
use crate::api::fields::{Fields, Text, shown};
use crate::api::json::read_json;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// In the place of a lane: all of them.
const ALL: &str = "all";

/// Every lane, with what waits in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct QueueList {
    pub(crate) items: Vec<QueueView>,
    /// Since when all lanes are paused.
    pub(crate) all_paused: Option<PauseView>,
}

/// A lane: the jobs of one kind for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueView {
    #[schema(example = "create-ticket@main")]
    pub(crate) lane: String,
    /// Jobs that wait for their time or for room in the broker.
    pub(crate) due: u64,
    /// Jobs whose doorbell was rung, and that no worker has claimed yet.
    pub(crate) rung: u64,
    /// Jobs that run.
    pub(crate) running: u64,
    /// Jobs that wait for a configuration to be mended; 1,000 stands for that many or more.
    pub(crate) parked: u64,
    /// Jobs that ended badly; 1,000 stands for that many or more.
    pub(crate) dead: u64,
    /// Since when the oldest job that no worker has yet is due, when its time has come.
    pub(crate) oldest_due_at: Option<DateTime<Utc>>,
    /// Doorbells that wait in the broker; null while it cannot be reached.
    pub(crate) bells: Option<u64>,
    /// Worker processes that serve it.
    pub(crate) workers: u64,
    /// Since when it is paused, by itself; see `all_paused` too.
    pub(crate) paused: Option<PauseView>,
    /// Whether its jobs are claimed.
    pub(crate) is_open: bool,
}

/// Who paused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Pause)]
pub(crate) struct PauseView {
    pub(crate) by: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) reason: Option<String>,
}

/// See the queues
///
/// What waits where, as the database and the broker have it.
#[utoipa::path(
    get,
    path = "/v1/ops/queues",
    tag = "operators",
    responses((status = 200, description = "Every lane", body = QueueList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_queues(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<QueueList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// Pause a queue
///
/// No job of it is claimed any more; those that run come to their end. `all` pauses every queue. Stays so until somebody resumes it.
#[utoipa::path(
    post,
    path = "/v1/ops/queues/{lane}/pause",
    tag = "operators",
    params(("lane" = String, Path, description = "The lane, or `all`", example = "create-ticket@main")),
    request_body(content = Option<PauseBody>),
    responses((status = 200, description = "Every lane, as it is now", body = QueueList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn pause_queue(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(lane): Path<String>,
    request: Request<Body>,
) -> Result<Json<QueueList>, Problem> {
    let reason = reason(&scheduler, request).await?;
    set(&scheduler, &operating, &lane, false, reason.as_deref()).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Resume a queue
///
/// Its jobs are claimed again, those first that have waited longest at their priority.
#[utoipa::path(
    post,
    path = "/v1/ops/queues/{lane}/resume",
    tag = "operators",
    params(("lane" = String, Path, description = "The lane, or `all`", example = "create-ticket@main")),
    request_body(content = Option<PauseBody>),
    responses((status = 200, description = "Every lane, as it is now", body = QueueList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn resume_queue(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(lane): Path<String>,
    request: Request<Body>,
) -> Result<Json<QueueList>, Problem> {
    let reason = reason(&scheduler, request).await?;
    set(&scheduler, &operating, &lane, true, reason.as_deref()).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Why; the body may be left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct PauseBody {
    #[schema(example = "maintenance of the instance until 06:00")]
    reason: Option<String>,
}

async fn reason(scheduler: &Scheduler, request: Request<Body>) -> Result<Option<String>, Problem> {
    let has_body = request
        .headers()
        .contains_key(axum::http::header::CONTENT_TYPE);
    if !has_body {
        return Ok(None);
    }
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let mut fields = Fields::of(&body, "").map_err(|error| Problem::of_fields(vec![error]))?;
    let reason = fields.text("reason", 500, Text::Line);
    match fields.finish() {
        errors if errors.is_empty() => {}
        errors => return Err(Problem::of_fields(errors)),
    }
    Ok(reason)
}

/// Switches a lane, or all.
pub(crate) async fn set(
    scheduler: &Scheduler,
    operating: &Operating,
    lane: &str,
    on: bool,
    reason: Option<&str>,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let lane = (lane != ALL).then_some(lane);
    if let Some(lane) = lane.filter(|lane| !configured(scheduler).contains(*lane)) {
        let known = Vec::from_iter(configured(scheduler)).join(", ");
        let detail = format!(
            "There is no lane `{}`. There is: {known}, and `{ALL}` for all of them.",
            shown(lane)
        );
        return Err(Problem::new(Kind::NotFound, detail));
    }
    let subject = switches::of_lane(lane);
    let before = find(&switches::get_all(scheduler.store.conn()).await?, lane);
    if before.is_none() == on {
        let what = lane.unwrap_or("All lanes together");
        let detail = match before {
            None => format!(
                "{what}: not paused. Somebody was faster, or this page is old; nothing was changed."
            ),
            Some(pause) => format!(
                "{what}: paused already, by {} at {}. Nothing was changed.",
                pause.by,
                pause.at.to_rfc3339()
            ),
        };
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    let tx = scheduler.store.begin().await?;
    switches::set(
        &tx,
        &subject,
        on,
        reason,
        &operating.actor(),
        scheduler.now(),
    )
    .await?;
    tx.commit().await.map_err(StoreError::from)?;
    scheduler.relay_nudge.notify_one();
    Ok(())
}

/// What waits where.
pub(crate) async fn all(scheduler: &Scheduler) -> Result<QueueList, Problem> {
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let counts = jobs::counts(conn).await?;
    let switches = switches::get_all(conn).await?;
    let alive = processes::alive(conn, now).await?;
    let paused = PausedLanes::of(&switches);
    let mut names = configured(scheduler);
    names.extend(counts.iter().map(|count| count.lane.clone()));
    let bells = bells(scheduler, &names).await;
    let items = names
        .into_iter()
        .map(|lane| {
            let serves = |it: &&processes::Alive| it.process.lanes.contains(&lane);
            QueueView {
                workers: alive.iter().filter(serves).count() as u64,
                bells: bells
                    .as_ref()
                    .map(|all| all.get(&lane).copied().unwrap_or(0)),
                paused: find(&switches, Some(&lane)),
                is_open: !paused.holds(&lane),
                ..counted(&lane, &counts, now)
            }
        })
        .collect();
    Ok(QueueList {
        items,
        all_paused: find(&switches, None),
    })
}

fn counted(lane: &str, counts: &[LaneCount], now: DateTime<Utc>) -> QueueView {
    let of = |state: JobState| {
        counts
            .iter()
            .find(|it| it.lane == lane && it.state == state)
    };
    let count = |state| of(state).map_or(0, |it| it.count);
    let waiting = [JobState::Due, JobState::Rung];
    let oldest = waiting
        .into_iter()
        .filter_map(|state| of(state)?.oldest)
        .min();
    QueueView {
        lane: lane.to_owned(),
        due: count(JobState::Due),
        rung: count(JobState::Rung),
        running: count(JobState::Running),
        parked: count(JobState::Parked),
        dead: count(JobState::Dead),
        oldest_due_at: oldest.filter(|due| *due <= now),
        bells: None,
        workers: 0,
        paused: None,
        is_open: true,
    }
}

/// The lanes of the configuration, whether anything waits in them or not.
pub(crate) fn configured(scheduler: &Scheduler) -> BTreeSet<String> {
    let connections: Vec<&String> = scheduler.settings.connections.keys().collect();
    JobKind::QUEUES
        .into_iter()
        .flat_map(|kind| match kind {
            JobKind::DeliverCallback => vec![lane_name(kind, None)],
            kind => connections
                .iter()
                .map(|connection| lane_name(kind, Some(connection)))
                .collect(),
        })
        .collect()
}

async fn bells(scheduler: &Scheduler, names: &BTreeSet<String>) -> Option<BTreeMap<String, u64>> {
    let lanes: Vec<Lane> = names.iter().filter_map(|lane| lane.parse().ok()).collect();
    match scheduler.broker.depth(&lanes).await {
        Ok(depths) => Some(
            depths
                .into_iter()
                .map(|(lane, depth)| (lane.to_string(), depth))
                .collect(),
        ),
        Err(error) => {
            tracing::debug!(%error, "the depths of the lanes cannot be shown");
            None
        }
    }
}

fn find(switches: &[Switch], lane: Option<&str>) -> Option<PauseView> {
    let subject = switches::of_lane(lane);
    switches
        .iter()
        .find(|switch| switch.subject == subject && !switch.on)
        .map(|switch| PauseView {
            by: switch.by.clone(),
            at: switch.at,
            reason: switch.reason.clone(),
        })
}
