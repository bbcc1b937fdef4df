use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::job::JobState;
use shared::store::jobs::{self, JobFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::Operating;
use super::job_view::OpsJobView;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::problem::Problem;
use crate::api::query::Params;

const USUAL_PAGE: u64 = 50;
const LONGEST_PAGE: u64 = 500;

/// Which jobs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it is for the document; the query is read by hand"
)]
pub(crate) struct JobParams {
    /// Only these states; several with commas.
    #[param(value_type = Option<String>, example = "dead,parked")]
    state: Option<String>,
    /// Only this kind.
    #[param(example = "create_ticket.v1")]
    kind: Option<String>,
    /// Only this lane.
    #[param(example = "create-ticket@main")]
    lane: Option<String>,
    /// Only this connection.
    connection: Option<String>,
    /// Only about this request.
    request_id: Option<Uuid>,
    /// Only with this class of the last error.
    #[param(example = "forbidden")]
    error_class: Option<String>,
    /// Only with this text in the last error.
    text: Option<String>,
    /// Only stored from then on.
    created_after: Option<DateTime<Utc>>,
    /// Only stored before then.
    created_before: Option<DateTime<Utc>>,
    /// Only first run from then on.
    started_after: Option<DateTime<Utc>>,
    /// Only first run before then.
    started_before: Option<DateTime<Utc>>,
    /// Only ended from then on.
    finished_after: Option<DateTime<Utc>>,
    /// Only ended before then.
    finished_before: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
    /// At most so many; 50 when not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u64>,
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OperatorJobPage)]
pub(crate) struct OpsJobPage {
    pub(crate) items: Vec<OpsJobView>,
    /// Where the next page begins; null when there is nothing more to look at.
    pub(crate) next_cursor: Option<Uuid>,
    /// When a page has looked at as many jobs as it may before it was full: up to when it has looked. Older ones may match.
    pub(crate) looked_back_to: Option<DateTime<Utc>>,
}

/// Find jobs
///
/// Newest first. A page looks at 50,000 jobs at most; when that was not enough to fill it, it says how far back it came, and the next
/// page goes on from there.
#[utoipa::path(
    get,
    path = "/v1/ops/jobs",
    tag = "operators",
    params(JobParams),
    responses((status = 200, description = "A page of jobs", body = OpsJobPage), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_jobs(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<OpsJobPage>, Problem> {
    Ok(Json(page(&scheduler, &operating, query.as_deref()).await?))
}

pub(crate) async fn page(
    scheduler: &Scheduler,
    operating: &Operating,
    query: Option<&str>,
) -> Result<OpsJobPage, Problem> {
    let mut params = Params::of(query);
    let filter = filter(&mut params);
    let after = params.parsed("cursor", "send next_cursor of the page before, unchanged");
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let found = jobs::search(scheduler.store.conn(), &filter, after, limit).await?;
    Ok(OpsJobPage {
        items: found
            .jobs
            .into_iter()
            .map(|job| OpsJobView::of(job, operating.role))
            .collect(),
        next_cursor: found.next,
        looked_back_to: found.looked_back_to,
    })
}

/// The filter of a query.
pub(crate) fn filter(params: &mut Params) -> JobFilter {
    let states = format!(
        "send one of {}",
        JobState::ALL.map(JobState::as_str).join(", ")
    );
    JobFilter {
        state: params.list("state", &states),
        kind: params.text("kind", 100),
        lane: params.text("lane", 200),
        connection: params.text("connection", 100),
        request_id: params.parsed("request_id", "send the id of a request"),
        error_class: params.text("error_class", 100),
        text: params.text("text", 200),
        created_after: params.time("created_after"),
        created_before: params.time("created_before"),
        started_after: params.time("started_after"),
        started_before: params.time("started_before"),
        finished_after: params.time("finished_after"),
        finished_before: params.time("finished_before"),
    }
}
