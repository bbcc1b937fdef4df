use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::http::header::ETAG;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;
use shared::store::tickets;
use utoipa::ToSchema;

use super::auth::Caller;
use super::change::Wanted;
use super::documented_problems::OfChanging;
use super::etag::etag;
use super::fields::{Fields, Text};
use super::json::read_json;
use super::problem::{FieldError, Problem};
use super::query::Params;
use super::request_view::RequestView;
use super::show_request::request_id;
use super::status_change::{LONGEST_ACTOR, LONGEST_REASON, StatusChange, Word};
use crate::Scheduler;

/// Why a request is no longer wanted.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The project was stopped.", "actor": "sam.sample"}))]
pub(crate) struct Cancellation {
    /// Why, in words that whoever works on the ticket can read. Left out: that the source withdrew it.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Who cancels on the identity side.
    #[schema(max_length = 100)]
    actor: Option<String>,
}

/// Cancel a request
///
/// If its ticket was not asked for yet, nothing is ever sent. Else the request is cancelled at once, and the cancellation is
/// carried to the ticket as soon as that exists. Cancelling twice changes nothing; an ended request cannot be cancelled.
#[utoipa::path(
    post,
    path = "/v1/requests/{id}/cancel",
    tag = "requests",
    params(
        ("id" = uuid::Uuid, Path, description = "The bridge's id of the request"),
        ("If-Match" = Option<String>, Header, description = "The ETag as read: refused when the request has changed since", example = "\"3\""),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 200 visible ASCII characters"),
    ),
    request_body = Cancellation,
    responses(
        (status = 200, description = "The cancelled request", body = RequestView, headers(("ETag" = String, description = "Its version"))),
        OfChanging,
    ),
    security(("token" = [])),
)]
pub(crate) async fn cancel_request(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    Params::of(request.uri().query()).finish()?;
    let id = request_id(&id)?;
    let headers = request.headers().clone();
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let cancellation = Cancellation::read(&body).map_err(Problem::of_fields)?;
    let change = cancellation.into_change(&caller.source);
    let wanted = Wanted::read(&caller, id, &change, &headers, ("cancel", &body))?;
    let changed = scheduler.carry_out(&wanted).await?;
    let ticket = tickets::of_request(scheduler.store.conn(), id).await?;
    Ok((
        [(ETAG, etag(changed.version))],
        Json(RequestView::of(changed, ticket)),
    ))
}

impl Cancellation {
    fn read(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, "").map_err(|error| vec![error])?;
        let read = Self {
            reason: fields.text("reason", LONGEST_REASON, Text::Lines),
            actor: fields.text("actor", LONGEST_ACTOR, Text::Line),
        };
        match fields.finish() {
            errors if errors.is_empty() => Ok(read),
            errors => Err(errors),
        }
    }

    fn into_change(self, source: &str) -> StatusChange {
        StatusChange {
            status: Word::Withdrawn,
            reason: Some(
                self.reason
                    .unwrap_or_else(|| format!("Withdrawn by {source}.")),
            ),
            comment: None,
            visible: false,
            valid_until: None,
            actor: self.actor,
        }
    }
}
