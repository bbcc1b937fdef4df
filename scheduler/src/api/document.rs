//! The OpenAPI document, made from the operations themselves.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Difference, FieldError, Problem};
use super::{
    cancel_request, change_status, create_batch, create_request, health, list_requests, metrics,
    ops, read_events, show_job, show_request, stream_events, wait_job, wait_request,
};
use crate::Scheduler;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "TicketBridge",
        description = "Takes access requests from identity systems and keeps one ServiceNow ticket for each.\n\n\
            Every refusal is `application/problem+json` (RFC 9457) that names the field and the fix. Every answer carries \
            `X-Request-Id`; send one of your own to find a call in the bridge's log. A `traceparent` that is sent is \
            continued up to the call to ServiceNow."
    ),
    tags(
        (name = "requests", description = "Access requests of one source"),
        (name = "jobs", description = "Units of work for requests of one source"),
        (name = "events", description = "What happened, for systems that cannot take callbacks"),
        (name = "operators", description = "What people do who operate the bridge: the console and the command line use it"),
        (name = "operation", description = "Health and figures of the process"),
    ),
    components(schemas(Problem, FieldError, Difference)),
    modifiers(&Token),
)]
struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("tb_…")
            .description(Some("A token of one source, made with `ticketbridge token create`. It sees and changes the requests of that source only."))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
        let operator = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("tbo_…")
            .description(Some("A token of one operator, made with `ticketbridge operator token`. It may what its operator may."))
            .build();
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            "__Host-ticketbridge",
            "A session of the console. Changes want the header `X-CSRF-Token` with the `csrf` of GET /v1/ops/session. Without TLS the \
             cookie is called `ticketbridge`.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("operator", SecurityScheme::Http(operator));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// Every operation, with its part of the document.
fn operations() -> OpenApiRouter<Arc<Scheduler>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(
            create_request::create_request,
            list_requests::list_requests
        ))
        .routes(routes!(create_batch::create_batch))
        .routes(routes!(show_request::show_request))
        .routes(routes!(wait_request::wait_request))
        .routes(routes!(change_status::change_status))
        .routes(routes!(cancel_request::cancel_request))
        .routes(routes!(show_job::show_job))
        .routes(routes!(wait_job::wait_job))
        .routes(routes!(read_events::read_events))
        .routes(routes!(stream_events::stream_events))
        .merge(operators())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
}

/// What operators see and do.
fn operators() -> OpenApiRouter<Arc<Scheduler>> {
    OpenApiRouter::new()
        .routes(routes!(
            ops::session::create_session,
            ops::session::show_session,
            ops::session::end_session
        ))
        .routes(routes!(ops::overview::show_overview))
        .routes(routes!(ops::history::show_history))
        .routes(routes!(ops::search::find_anything))
        .routes(routes!(ops::list_requests::list_ops_requests))
        .routes(routes!(ops::show_request::show_ops_request))
        .routes(routes!(ops::workers::list_workers))
        .routes(routes!(ops::workers::drain_worker))
        .routes(routes!(ops::cadences::list_cadences))
        .routes(routes!(ops::cadences::run_cadence))
        .routes(routes!(ops::cadences::pause_cadence))
        .routes(routes!(ops::cadences::resume_cadence))
        .routes(routes!(ops::alerts::list_alerts))
        .routes(routes!(ops::alerts::silence_alert))
        .routes(routes!(ops::alerts::resume_alert))
        .routes(routes!(ops::alerts::test_destination))
        .routes(routes!(ops::audit::list_audit))
        .routes(routes!(ops::audit::show_chain))
        .routes(routes!(ops::export::export_audit))
        .routes(routes!(ops::export::export_jobs))
        .routes(routes!(ops::list_jobs::list_jobs))
        .routes(routes!(ops::show_job::show_ops_job))
        .routes(routes!(
            ops::operations::create_operation,
            ops::operations::list_operations
        ))
        .routes(routes!(ops::operations::show_operation))
        .routes(routes!(ops::operations::stop_operation))
        .routes(routes!(ops::queues::list_queues))
        .routes(routes!(ops::queues::pause_queue))
        .routes(routes!(ops::queues::resume_queue))
        .routes(routes!(ops::routes::list_routes))
        .routes(routes!(ops::routes::show_route))
        .routes(routes!(ops::routes::switch_route_off))
        .routes(routes!(ops::routes::switch_route_on))
        .routes(routes!(ops::connections::list_connections))
        .routes(routes!(ops::connections::show_connection))
        .routes(routes!(ops::check_connection::check_connection))
        .routes(routes!(ops::try_connection::close_circuit))
        .routes(routes!(
            ops::concurrency::set_concurrency,
            ops::concurrency::unset_concurrency
        ))
}

/// The operations, and the document about them at `/v1/openapi.json`.
pub(crate) fn documented() -> Router<Arc<Scheduler>> {
    let (router, document) = operations().split_for_parts();
    let document = Arc::new(document);
    let show = move || {
        let document = Arc::clone(&document);
        async move { Json((*document).clone()) }
    };
    router.route("/v1/openapi.json", get(show))
}

/// The document of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().into_openapi()
}
