use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::operator::Role;
use shared::store::processes::{self, Alive};
use shared::store::{StoreError, jobs};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::{OfActing, OfOperating};
use crate::api::fields::shown;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// Every process that lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct WorkerList {
    pub(crate) items: Vec<WorkerView>,
}

/// A process that runs jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerView {
    /// Unique name; new for each start.
    pub(crate) id: String,
    /// `worker` or `up`.
    pub(crate) kind: String,
    pub(crate) host: String,
    /// Version of the program.
    pub(crate) version: String,
    /// Lanes it serves.
    pub(crate) lanes: Vec<String>,
    /// Jobs that it runs, the first hundred.
    pub(crate) running: Vec<Uuid>,
    pub(crate) started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub(crate) heartbeat_at: DateTime<Utc>,
    /// Until when it is believed to live.
    pub(crate) lease_until: DateTime<Utc>,
    /// When an operator told it to take no new jobs and end.
    pub(crate) drain_at: Option<DateTime<Utc>>,
}

/// See the workers
///
/// Every process that runs jobs and is known to live, with the jobs that it holds.
#[utoipa::path(
    get,
    path = "/v1/ops/workers",
    tag = "operators",
    responses((status = 200, description = "Every process that lives", body = WorkerList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_workers(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<WorkerList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// Drain a worker
///
/// It takes no new job, lets those that run come to their end, and ends itself with its next heart-beats. Whatever supervises it may start
/// it anew.
#[utoipa::path(
    post,
    path = "/v1/ops/workers/{id}/drain",
    tag = "operators",
    params(("id" = String, Path, description = "The id of the worker")),
    responses((status = 200, description = "Every process, as it is now", body = WorkerList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn drain_worker(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(id): Path<String>,
) -> Result<Json<WorkerList>, Problem> {
    drain(&scheduler, &operating, &id).await?;
    Ok(Json(all(&scheduler).await?))
}

pub(crate) async fn drain(
    scheduler: &Scheduler,
    operating: &Operating,
    id: &str,
) -> Result<(), Problem> {
    operating.may(Role::Admin)?;
    let now = scheduler.now();
    let alive = processes::alive(scheduler.store.conn(), now).await?;
    let Some(found) = alive.iter().find(|it| it.process.id == id) else {
        let detail = format!(
            "No worker `{}` lives. It has ended, or was started anew under another name.",
            shown(id)
        );
        return Err(Problem::new(Kind::NotFound, detail));
    };
    if let Some(at) = found.drain_at {
        let detail = format!(
            "It was told to drain at {} already. Nothing was changed.",
            at.to_rfc3339()
        );
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    let tx = scheduler.store.begin().await?;
    processes::drain(&tx, id, &operating.actor(), now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

pub(crate) async fn all(scheduler: &Scheduler) -> Result<WorkerList, Problem> {
    let conn = scheduler.store.conn();
    let alive = processes::alive(conn, scheduler.now()).await?;
    let mut items = Vec::with_capacity(alive.len());
    for it in alive {
        let running = jobs::held_by(conn, &it.process.id).await?;
        items.push(view(it, running));
    }
    Ok(WorkerList { items })
}

fn view(it: Alive, running: Vec<Uuid>) -> WorkerView {
    WorkerView {
        id: it.process.id,
        kind: it.process.kind,
        host: it.process.host,
        version: it.process.version,
        lanes: it.process.lanes,
        running,
        started_at: it.process.started_at,
        heartbeat_at: it.heartbeat_at,
        lease_until: it.lease_until,
        drain_at: it.drain_at,
    }
}
