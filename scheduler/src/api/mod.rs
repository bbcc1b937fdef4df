//! The HTTP API: intake, feed, health. One operation a file; the only place that knows intake's JSON.

use std::sync::Arc;

use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::{Scheduler, console};

mod accept;
mod accept_batch;
mod admission;
mod auth;
pub mod bodies;
mod cancel_request;
mod change;
mod change_notes;
mod change_rules;
mod change_status;
mod create_batch;
mod create_request;
mod difference;
mod document;
mod documented_problems;
mod etag;
mod feed_event;
mod fields;
pub(crate) mod health;
mod idempotency_key;
mod job_view;
mod json;
mod layers;
mod list_requests;
mod mastery;
mod metrics;
mod nearest;
mod new_request;
pub(crate) mod ops;
mod patience;
pub(crate) mod problem;
pub(crate) mod problem_kind;
pub(crate) mod query;
mod read_events;
mod request_detail;
mod request_view;
mod show_job;
mod show_request;
mod status_change;
mod store_problem;
mod stream_events;
mod timeline;
mod transaction;
mod wait_job;
mod wait_request;

pub use document::openapi;

/// The whole API, ready to be served.
pub fn router(scheduler: Arc<Scheduler>) -> Router {
    let limit = scheduler.settings.server.request_timeout();
    let limited = middleware::from_fn_with_state(limit, layers::time_limit);
    let observed = middleware::from_fn_with_state(Arc::clone(&scheduler), layers::observe);
    document::documented()
        .merge(console::router())
        .fallback(layers::unknown_path)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(limited)
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(observed)
        .with_state(scheduler)
}

impl Scheduler {
    /// Address of a request.
    fn location(&self, id: Uuid) -> String {
        format!("{}/v1/requests/{id}", self.settings.server.base_url())
    }
}
