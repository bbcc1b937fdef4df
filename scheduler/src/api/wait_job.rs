use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::documented_problems::OfReadingOne;
use super::job_view::JobView;
use super::patience::{PatienceParam, patience};
use super::problem::Problem;
use super::query::Params;
use super::show_job::{job_id, job_of};
use crate::Scheduler;
use crate::waits::Awaited;

/// A job after a wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AwaitedJob)]
pub(crate) struct AwaitedJob {
    /// Whether it has ended. If not, call again.
    reached: bool,
    /// The job as it is now.
    job: JobView,
}

/// Wait for the end of a job
///
/// Answers as soon as the job is done, dead or cancelled, at once if it is already, and after `timeout_seconds` in any case.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/wait",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The id of the job"), PatienceParam),
    responses((status = 200, description = "The job, ended or not", body = AwaitedJob), OfReadingOne),
    security(("token" = [])),
)]
pub(crate) async fn wait_job(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AwaitedJob>, Problem> {
    let mut params = Params::of(query.as_deref());
    let patience = patience(&mut params);
    params.finish()?;
    let id = job_id(&id)?;
    let place = scheduler.waits.enter(Awaited::Job(id));
    let mut job = job_of(&scheduler, &caller, id).await?;
    if !job.has_ended() {
        place.wait(&scheduler, patience).await;
        job = job_of(&scheduler, &caller, id).await?;
    }
    Ok(Json(AwaitedJob {
        reached: job.has_ended(),
        job,
    }))
}
