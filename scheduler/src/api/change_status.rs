use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::http::header::ETAG;
use axum::response::IntoResponse;
use serde::Serialize;
use shared::job::JobKind;
use shared::store::{jobs, tickets};
use utoipa::ToSchema;

use super::auth::Caller;
use super::change::Wanted;
use super::documented_problems::OfChanging;
use super::etag::etag;
use super::job_view::JobView;
use super::json::read_json;
use super::problem::Problem;
use super::query::Params;
use super::request_view::RequestView;
use super::show_request::request_id;
use super::status_change::StatusChange;
use crate::Scheduler;

/// A request after a change, and who carries the change to its ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedRequest)]
pub(crate) struct ChangedRequest {
    /// The request.
    #[serde(flatten)]
    request: RequestView,
    /// The job that writes the newest state and notes to the ticket; null when there was never one. One that waits or runs
    /// already serves this change too: then it names who runs it since when.
    job: Option<JobView>,
}

/// Say what happened on the identity side
///
/// Where the route has mastery `servicenow`, the ticket decides: `approved` and `extended` become work notes, `comment` a
/// journal entry, `withdrawn` cancels, the rest is refused. Where it has mastery `source`, each word moves the request, and
/// the ticket follows. Saying the same state again changes nothing; send an `Idempotency-Key` so that a repeated call writes
/// no comment twice.
#[utoipa::path(
    post,
    path = "/v1/requests/{id}/status",
    tag = "requests",
    params(
        ("id" = uuid::Uuid, Path, description = "The bridge's id of the request"),
        ("If-Match" = Option<String>, Header, description = "The ETag as read: refused when the request has changed since", example = "\"3\""),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 200 visible ASCII characters"),
    ),
    request_body = StatusChange,
    responses(
        (status = 200, description = "The request afterwards", body = ChangedRequest, headers(("ETag" = String, description = "Its version"))),
        OfChanging,
    ),
    security(("token" = [])),
)]
pub(crate) async fn change_status(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    Params::of(request.uri().query()).finish()?;
    let id = request_id(&id)?;
    let headers = request.headers().clone();
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let change = StatusChange::read(&body).map_err(Problem::of_fields)?;
    let wanted = Wanted::read(&caller, id, &change, &headers, ("status", &body))?;
    let changed = scheduler.carry_out(&wanted).await?;
    let conn = scheduler.store.conn();
    let ticket = tickets::of_request(conn, id).await?;
    let mut jobs = jobs::of_request(conn, id).await?.into_iter();
    let job = jobs.rfind(|job| job.kind == JobKind::UpdateServicenowStatus.as_str());
    Ok((
        [(ETAG, etag(changed.version))],
        Json(ChangedRequest {
            request: RequestView::of(changed, ticket),
            job: job.map(JobView::from),
        }),
    ))
}
