//! What surrounds every operation: an id, a span, a time limit, and an answer even to a panic.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::store::new_id;
use shared::telemetry::continue_trace;
use tokio::time::Instant;
use tracing::{Instrument as _, field};

use super::json::Arrival;
use super::patience::LONGEST;
use super::problem::Problem;
use super::problem_kind::Kind;
use crate::Scheduler;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Gives every call an id and a span that continues the caller's trace, and logs how it was answered.
pub(crate) async fn observe(
    State(scheduler): State<Arc<Scheduler>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers()).unwrap_or_else(|| new_id(scheduler.now()).to_string());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!(
        "http",
        request_id = id,
        method = %request.method(),
        route,
        source = field::Empty,
    );
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    continue_trace(&span, traceparent);
    async {
        let started = Instant::now();
        let mut response = next.run(request).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), elapsed_ms, "answered");
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The caller's id, if it can stand in a header and a log line.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=LONGEST_REQUEST_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// Answers 503 when an operation takes too long, and 408 when it is the client that takes too long to send the body. Streams are answered at
/// once, and then may last; what waits on purpose gets its time on top.
pub(crate) async fn time_limit(
    State(limit): State<Duration>,
    mut request: Request,
    next: Next,
) -> Response {
    let limit = if request.uri().path().ends_with("/wait") {
        limit + LONGEST
    } else {
        limit
    };
    let arrival = Arrival::default();
    request.extensions_mut().insert(arrival.clone());
    let answer = next.run(request);
    let mut answer = std::pin::pin!(answer);
    // The answer is dropped after the look at what it was waiting for.
    if let Ok(response) = tokio::time::timeout(limit, answer.as_mut()).await {
        return response;
    }
    if arrival.is_under_way() {
        return too_slow(limit).into_response();
    }
    let detail = format!(
        "The call took more than {} s and was given up. Send it again: what was stored after all is not stored twice.",
        limit.as_secs()
    );
    Problem::new(Kind::Timeout, detail)
        .with_header(RETRY_AFTER, "5")
        .into_response()
}

/// Nothing of the call was looked at, and what still comes of its body is not read.
fn too_slow(limit: Duration) -> Problem {
    let detail = format!(
        "The body had not arrived after {} s, so nothing was stored. Send it again over a better line or in smaller batches, or \
         raise server.request_timeout_seconds in the bridge's configuration.",
        limit.as_secs()
    );
    Problem::new(Kind::BodyTooSlow, detail).with_header(CONNECTION, "close")
}

/// Answers a panic of an operation without internals; they go to the log.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "an operation panicked");
    Problem::internal().into_response()
}

pub(crate) async fn unknown_path(uri: Uri) -> Problem {
    let detail = format!(
        "There is no operation at `{}`. GET /v1/openapi.json lists them all.",
        super::fields::shown(uri.path())
    );
    Problem::new(Kind::NotFound, detail)
}

pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "`{}` takes no {method}; the Allow header names what it takes.",
        super::fields::shown(uri.path())
    );
    Problem::new(Kind::MethodNotAllowed, detail)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[test]
    fn a_callers_id_is_kept_unless_it_is_odd() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            request_id(&headers)
        };
        assert_eq!(of("abc-1"), Some("abc-1".to_owned()));
        assert_eq!(of(""), None);
        assert_eq!(of("two words"), None);
        assert_eq!(of(&"x".repeat(129)), None);
        assert_eq!(request_id(&HeaderMap::new()), None);
    }

    async fn call(router: Router) -> (u16, serde_json::Value) {
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_answered_without_its_text() {
        async fn panics() -> &'static str {
            panic!("secret {}", 7)
        }
        let router = Router::new()
            .route("/", get(panics))
            .layer(CatchPanicLayer::custom(panicked));
        let (status, body) = call(router).await;
        assert_eq!(status, 500);
        assert!(!body.to_string().contains("secret"));
        assert_eq!(body["type"], "urn:ticketbridge:problem:internal");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_answered() {
        let slow = |seconds| move || tokio::time::sleep(Duration::from_secs(seconds));
        let limited = middleware::from_fn_with_state(Duration::from_secs(20), time_limit);
        let router = Router::new().route("/", get(slow(21))).layer(limited);
        let (status, body) = call(router).await;
        assert_eq!(status, 503);
        insta::assert_json_snapshot!(body);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_too_long_to_send_a_body_is_told_so() {
        async fn reads_and_works(request: Request) -> Response {
            let read = super::super::json::read_json(request, 1000).await;
            tokio::time::sleep(Duration::from_secs(21)).await;
            read.unwrap_err().into_response()
        }
        let limited = || middleware::from_fn_with_state(Duration::from_secs(20), time_limit);
        let router = || {
            Router::new()
                .route("/", get(reads_and_works))
                .layer(limited())
        };
        let with = |body: Body| {
            let json = ("content-type", "application/json");
            Request::builder()
                .header(json.0, json.1)
                .body(body)
                .unwrap()
        };
        let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
        let response = router().oneshot(with(never)).await.unwrap();
        assert_eq!(response.status(), 408);
        assert_eq!(response.headers()["connection"], "close");
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        insta::assert_json_snapshot!(body);
        let whole = router().oneshot(with(Body::from("{"))).await.unwrap();
        assert_eq!(whole.status(), 503, "it is the bridge that is slow");
    }
}
