use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;
use shared::store::tickets;

use super::accept::{Taken, accept, count};
use super::auth::Caller;
use super::documented_problems::OfCreating;
use super::etag::etag;
use super::idempotency_key::IdempotencyKey;
use super::json::read_json;
use super::new_request::NewRequest;
use super::problem::Problem;
use super::query::Params;
use super::request_view::RequestView;
use crate::Scheduler;

/// Ask for access
///
/// Stores the request and answers 202: it is durable, and a ticket will be made. The same call again gives the same
/// answer, with the state of now: by natural key (source and `external_id`) and by `Idempotency-Key`. The same key with
/// another body is refused, and the fields that differ are named.
#[utoipa::path(
    post,
    path = "/v1/requests",
    tag = "requests",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 200 visible ASCII characters",
        example = "5f0c4f8e-5a3e-4d0e-9f57-0d4b7d0f6f2e")),
    request_body = NewRequest,
    responses(
        (status = 202, description = "Stored, now or by an equal call before", body = RequestView, headers(
            ("Location" = String, description = "Address of the request"),
            ("ETag" = String, description = "Its version"),
        )),
        OfCreating,
    ),
    security(("token" = [])),
)]
pub(crate) async fn create_request(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    Params::of(request.uri().query()).finish()?;
    let taken = take(&scheduler, &caller, request).await;
    count(&caller.source, &taken);
    let request = taken?.request;
    let ticket = tickets::of_request(scheduler.store.conn(), request.id).await?;
    let headers = [
        (LOCATION, scheduler.location(request.id)),
        (ETAG, etag(request.version)),
    ];
    let view = RequestView::of(request, ticket);
    Ok((StatusCode::ACCEPTED, headers, Json(view)))
}

async fn take(
    scheduler: &Scheduler,
    caller: &Caller,
    request: Request<Body>,
) -> Result<Taken, Problem> {
    let headers = request.headers().clone();
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let new = NewRequest::read(&body, "").map_err(Problem::of_fields)?;
    caller.check_source(new.source.as_deref())?;
    let asked = new.into_asked();
    let key = IdempotencyKey::read(&headers, "create", &json!(asked))?;
    accept(scheduler, &caller.source, &asked, key.as_ref()).await
}
