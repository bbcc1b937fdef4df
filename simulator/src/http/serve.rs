//! axum in front of the pipeline.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::StreamExt;

use super::answer::Answer;
use super::call::Call;
use super::connection::Switch;
use super::pipeline::{Ending, handle};
use crate::admin;
use crate::sim::Sim;

/// Largest body the instance reads (attachments are sent whole).
const MAX_BODY: usize = 256 * 1024 * 1024;

/// The whole instance as an axum router; `/_sim` is beside the API and never struck by faults.
pub(crate) fn router(sim: Arc<Sim>) -> Router {
    Router::new().fallback(serve).with_state(sim)
}

async fn serve(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
) -> Response {
    let Some(call) = read(request).await else {
        return respond(Answer::html(
            413,
            "<html><body>413 Request Entity Too Large</body></html>",
        ));
    };
    if call.path == "/_sim" || call.path.starts_with("/_sim/") {
        return respond(admin::answer(&sim, &call));
    }
    match handle(&sim, call).await {
        Ending::Answer(answer) => respond(answer),
        Ending::Cut => {
            switch.cut();
            respond(Answer::empty(503))
        }
        Ending::CutAt(answer, at) => cut_body(answer, at),
    }
}

async fn read(request: Request) -> Option<Call> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.ok()?;
    let query = parts.uri.query().unwrap_or_default();
    Some(Call::new(
        parts.method.as_str(),
        parts.uri.path(),
        query,
        parts.headers,
        body,
    ))
}

fn respond(answer: Answer) -> Response {
    let body = Body::from(answer.body.clone());
    with_head(answer, body)
}

/// Announces the whole body and breaks off after `at` bytes.
fn cut_body(answer: Answer, at: usize) -> Response {
    let part = answer.body.slice(..at.min(answer.body.len()));
    let whole = answer.body.len();
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let begun = futures::stream::once(async { Ok::<Bytes, std::io::Error>(part) });
    // Between the two the connection gets a turn to send what it has.
    let cut = futures::stream::once(async {
        tokio::task::yield_now().await;
        Err(broken)
    });
    let mut response = with_head(answer, Body::from_stream(begun.chain(cut)));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(whole));
    response
}

fn with_head(answer: Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
