use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use shared::store::jobs;
use uuid::Uuid;

use super::auth::Caller;
use super::documented_problems::OfReadingOne;
use super::job_view::JobView;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::query::Params;
use crate::Scheduler;

/// See a job
///
/// Where one unit of work stands: its state, who runs it since when, its last error. The ids of jobs are in the attempts of
/// a request, and in the answer to a status change.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The id of the job")),
    responses((status = 200, description = "The job", body = JobView), OfReadingOne),
    security(("token" = [])),
)]
pub(crate) async fn show_job(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<JobView>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(job_of(&scheduler, &caller, job_id(&id)?).await?))
}

/// The job, if it is about a request of the caller.
pub(crate) async fn job_of(
    scheduler: &Scheduler,
    caller: &Caller,
    id: Uuid,
) -> Result<JobView, Problem> {
    let found = jobs::find_of_source(scheduler.store.conn(), &caller.source, id).await?;
    found
        .map(JobView::from)
        .ok_or_else(|| unknown(&id.to_string()))
}

/// Reads the id in a path. What is no id cannot be found.
pub(crate) fn job_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown(text))
}

/// The answer for ids that do not exist and for jobs of other sources' requests alike.
fn unknown(id: &str) -> Problem {
    let detail = format!(
        "This source has no job `{}`. The jobs of a request stand in the attempts of GET /v1/requests/{{id}}.",
        super::fields::shown(id)
    );
    Problem::new(Kind::NotFound, detail)
}
