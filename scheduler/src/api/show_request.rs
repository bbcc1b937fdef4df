use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::ETAG;
use axum::response::IntoResponse;
use shared::request::Request;
use shared::store::{StoreError, attempts, audit, jobs, notes, requests, tickets};
use uuid::Uuid;

use super::auth::Caller;
use super::documented_problems::OfReadingOne;
use super::etag::etag;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::query::Params;
use super::request_detail::{AttemptView, NoteView, RequestDetail};
use super::request_view::RequestView;
use super::timeline::TimelineEntry;
use crate::Scheduler;

/// See a request
///
/// The request with its ticket, what happened to it in plain words, every run of its jobs with the calls they made, and
/// its notes for the ticket's journal.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}",
    tag = "requests",
    params(("id" = Uuid, Path, description = "The bridge's id of the request")),
    responses(
        (status = 200, description = "The request", body = RequestDetail, headers(("ETag" = String, description = "Its version"))),
        OfReadingOne,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show_request(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::of(query.as_deref()).finish()?;
    let id = request_id(&id)?;
    let found = requests::find_of_source(scheduler.store.conn(), &caller.source, id).await?;
    let request = found.ok_or_else(|| unknown_request(&id.to_string()))?;
    let version = request.version;
    Ok((
        [(ETAG, etag(version))],
        Json(detail(&scheduler, request).await?),
    ))
}

async fn detail(scheduler: &Scheduler, request: Request) -> Result<RequestDetail, StoreError> {
    let conn = scheduler.store.conn();
    let id = request.id;
    let kinds: HashMap<Uuid, String> = jobs::of_request(conn, id)
        .await?
        .into_iter()
        .map(|job| (job.id, job.kind))
        .collect();
    let attempts = attempts::of_request(conn, id).await?;
    Ok(RequestDetail {
        request: RequestView::of(request, tickets::of_request(conn, id).await?),
        timeline: audit::of_request(conn, id)
            .await?
            .into_iter()
            .map(TimelineEntry::from)
            .collect(),
        attempts: attempts
            .into_iter()
            .map(|attempt| {
                let kind = kinds.get(&attempt.job_id).cloned();
                AttemptView::of(attempt, kind)
            })
            .collect(),
        notes: notes::of_request(conn, id)
            .await?
            .into_iter()
            .map(NoteView::from)
            .collect(),
    })
}

/// Reads the id in a path. What is no id cannot be found.
pub(crate) fn request_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown_request(text))
}

/// The answer for ids that do not exist and for other sources' alike: who may not see a request learns nothing of it.
pub(crate) fn unknown_request(id: &str) -> Problem {
    let detail = format!(
        "This source has no request `{}`. Take the id from the Location of the answer that took the request in, or look \
         for it with GET /v1/requests?external_id=…",
        super::fields::shown(id)
    );
    Problem::new(Kind::NotFound, detail)
}
