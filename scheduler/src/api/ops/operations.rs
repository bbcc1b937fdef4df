use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::operator::Role;
use shared::store::operations::{self, Operation};
use shared::store::{StoreError, operations as store};
use utoipa::ToSchema;

use super::behind::HeldJobs;
use super::caller::Operating;
use super::new_operation::NewOperation;
use super::operation_view::OperationView;
use crate::Scheduler;
use crate::api::documented_problems::{OfActing, OfOperating, OfOperatingOne};
use crate::api::fields::shown;
use crate::api::json::read_json;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// Operations of a list.
const SHOWN: u64 = 100;

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Forecast {
    /// How many jobs there are; 1,000,000 stands for that many or more.
    pub(crate) matched: u64,
    /// What would happen with them, in words.
    pub(crate) will: String,
    /// Those of them that an open circuit holds, where the action lets jobs run.
    pub(crate) held: Vec<HeldJobs>,
}

/// Operations, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct OperationList {
    pub(crate) items: Vec<OperationView>,
}

/// Do something with jobs
///
/// With the jobs that are named, or with all that match a filter; with `dry_run` it is only counted. It is stored and carried out part
/// by part, so that a million jobs are no harder than one; jobs that are stored later are not touched. Jobs that a circuit holds are told
/// with it: they call nobody before its time. A paced retry waits for that, and so does one with `wait_for_circuit`.
#[utoipa::path(
    post,
    path = "/v1/ops/operations",
    tag = "operators",
    request_body = NewOperation,
    responses(
        (status = 200, description = "Counted only", body = Forecast),
        (status = 202, description = "Begun", body = OperationView),
        OfActing,
    ),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn create_operation(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    request: Request<Body>,
) -> Result<Response, Problem> {
    operating.may(Role::Operator)?;
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let new = NewOperation::read(&body)?;
    if new.dry_run {
        let planned = new.plan(&scheduler).await?;
        let forecast = Forecast {
            matched: planned.matched,
            will: planned.words,
            held: planned.held,
        };
        return Ok(Json(forecast).into_response());
    }
    let begun = begin(&scheduler, &operating, new).await?;
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

/// Stores an operation; what is small and not paced is done at once.
pub(crate) async fn begin(
    scheduler: &Scheduler,
    operating: &Operating,
    new: NewOperation,
) -> Result<OperationView, Problem> {
    operating.may(Role::Operator)?;
    let planned = new.plan(scheduler).await?;
    let now = scheduler.now();
    let stored = store::NewOperation {
        action: new.action,
        filter: planned.filter,
        ids: planned.ids,
        per_minute: new.per_minute,
        waits_for_circuit: new.waits(),
        reason: new.reason,
        operator: operating.name.clone(),
        address: operating.address.clone(),
        matched: planned.matched,
    };
    let tx = scheduler.store.begin().await?;
    let id = operations::start(&tx, &stored, now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    // It is stored: whatever this part meets, the scheduler goes on with it.
    if let Err(error) = crate::operations::tick(scheduler).await {
        tracing::warn!(%error, operation = %id, "the first part of an operation failed and is repeated");
    }
    Ok(found(scheduler, &id.to_string()).await?.into())
}

/// See what is being done, and what was
///
/// The newest hundred operations with how far each is.
#[utoipa::path(
    get,
    path = "/v1/ops/operations",
    tag = "operators",
    responses((status = 200, description = "The newest hundred", body = OperationList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_operations(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<OperationList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    let all = operations::list(scheduler.store.conn(), SHOWN).await?;
    Ok(Json(OperationList {
        items: all.into_iter().map(OperationView::from).collect(),
    }))
}

/// See how far an operation is
///
/// How many jobs it has treated and left out, what it waits for, and when it goes on.
#[utoipa::path(
    get,
    path = "/v1/ops/operations/{id}",
    tag = "operators",
    params(("id" = Uuid, Path, description = "The id of the operation")),
    responses((status = 200, description = "The operation", body = OperationView), OfOperatingOne),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_operation(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<OperationView>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(found(&scheduler, &id).await?.into()))
}

/// Stop an operation
///
/// What it has done stays done.
#[utoipa::path(
    post,
    path = "/v1/ops/operations/{id}/stop",
    tag = "operators",
    params(("id" = Uuid, Path, description = "The id of the operation")),
    responses((status = 200, description = "Stopped", body = OperationView), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn stop_operation(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(id): Path<String>,
) -> Result<Json<OperationView>, Problem> {
    Ok(Json(stop(&scheduler, &operating, &id).await?))
}

pub(crate) async fn stop(
    scheduler: &Scheduler,
    operating: &Operating,
    id: &str,
) -> Result<OperationView, Problem> {
    operating.may(Role::Operator)?;
    let operation = found(scheduler, id).await?;
    let tx = scheduler.store.begin().await?;
    let stopped = operations::stop(&tx, operation.id, &operating.actor(), scheduler.now()).await?;
    tx.commit().await.map_err(StoreError::from)?;
    let after = found(scheduler, id).await?;
    if stopped {
        return Ok(after.into());
    }
    let how = if after.stopped_at.is_some() {
        "was stopped before"
    } else {
        "has come to its end"
    };
    let detail = format!(
        "The operation {how}: {} done, {} left out. There is nothing to stop.",
        after.done, after.skipped
    );
    Err(Problem::new(Kind::StaleAction, detail))
}

/// The operation of that id.
pub(crate) async fn found(scheduler: &Scheduler, id: &str) -> Result<Operation, Problem> {
    let operation = match id.parse() {
        Ok(id) => operations::find(scheduler.store.conn(), id).await?,
        Err(_) => None,
    };
    operation.ok_or_else(|| {
        let detail = format!(
            "There is no operation `{}`. GET /v1/ops/operations lists them.",
            shown(id)
        );
        Problem::new(Kind::NotFound, detail)
    })
}
