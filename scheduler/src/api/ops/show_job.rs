use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use shared::store::{attempts, jobs};

use super::caller::Operating;
use super::job_view::{OpsJobDetail, OpsJobView};
use crate::Scheduler;
use crate::api::documented_problems::OfOperatingOne;
use crate::api::fields::shown;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;
use crate::api::request_detail::AttemptView;

/// See a job with its runs
///
/// Where it stands, what can be done with it, and every run with each HTTP call it made.
#[utoipa::path(
    get,
    path = "/v1/ops/jobs/{id}",
    tag = "operators",
    params(("id" = Uuid, Path, description = "The id of the job")),
    responses((status = 200, description = "The job", body = OpsJobDetail), OfOperatingOne),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_ops_job(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<OpsJobDetail>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(detail(&scheduler, &operating, &id).await?))
}

pub(crate) async fn detail(
    scheduler: &Scheduler,
    operating: &Operating,
    id: &str,
) -> Result<OpsJobDetail, Problem> {
    let conn = scheduler.store.conn();
    let job = match id.parse() {
        Ok(id) => jobs::find(conn, id).await?,
        Err(_) => None,
    };
    let Some(job) = job else {
        let detail = format!(
            "There is no job `{}`. It may have been removed because of its age ([retention] jobs_days); its audit entries may still \
             be there.",
            shown(id)
        );
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let runs = attempts::of_job(conn, job.id)
        .await?
        .into_iter()
        .map(|attempt| AttemptView::of(attempt, Some(job.kind.clone())))
        .collect();
    Ok(OpsJobDetail {
        job: OpsJobView::of(job, operating.role),
        runs,
    })
}
