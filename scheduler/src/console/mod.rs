//! The console: pages made on the server from what the operator API answers. It works without script; script only makes it quicker.
//!
//! One page a file. A page reads through the operations of `api::ops` and acts through them, so roles, refusals and audit entries are
//! the same for people and programs. The templates lie in `scheduler/console/templates`.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::Scheduler;

mod alerts_page;
mod assets;
mod audit_page;
mod cadences_page;
mod chart;
mod concurrency_page;
mod confirm_page;
mod connections_page;
mod job_page;
mod jobs_page;
mod login_page;
mod oidc_page;
mod operations_page;
mod overview_page;
mod page;
mod query;
mod queues_page;
mod render;
mod requests_page;
mod routes_page;
mod search_page;
mod workers_page;

/// Every page, under `/console`.
pub(crate) fn router() -> Router<Arc<Scheduler>> {
    Router::new()
        .route("/console", get(overview_page::show))
        .route(
            "/console/login",
            get(login_page::show).post(login_page::log_in),
        )
        .route("/console/login/oidc", get(oidc_page::leave))
        .route("/console/login/oidc/callback", get(oidc_page::come_back))
        .route("/console/logout", post(login_page::log_out))
        .route("/console/search", get(search_page::show))
        .route("/console/requests", get(requests_page::list))
        .route("/console/requests/{id}", get(requests_page::show))
        .route("/console/jobs", get(jobs_page::show))
        .route("/console/jobs/confirm", post(confirm_page::show))
        .route("/console/jobs/do", post(confirm_page::carry_out))
        .route("/console/jobs/{id}", get(job_page::show))
        .route("/console/operations", get(operations_page::list))
        .route("/console/operations/{id}", get(operations_page::show))
        .route("/console/operations/{id}/stop", post(operations_page::stop))
        .route("/console/queues", get(queues_page::show))
        .route(
            "/console/queues/{lane}/pause",
            get(queues_page::ask).post(queues_page::pause),
        )
        .route("/console/queues/{lane}/resume", post(queues_page::resume))
        .route(
            "/console/queues/{lane}/concurrency",
            get(concurrency_page::ask).post(concurrency_page::set),
        )
        .route("/console/cadences", get(cadences_page::show))
        .route("/console/cadences/{name}/run", post(cadences_page::run))
        .route("/console/cadences/{name}/pause", post(cadences_page::pause))
        .route(
            "/console/cadences/{name}/resume",
            post(cadences_page::resume),
        )
        .route("/console/workers", get(workers_page::show))
        .route("/console/workers/{id}/drain", post(workers_page::drain))
        .route("/console/alerts", get(alerts_page::show))
        .route(
            "/console/alerts/{name}/silence",
            get(alerts_page::ask).post(alerts_page::silence),
        )
        .route("/console/alerts/{name}/resume", post(alerts_page::resume))
        .route(
            "/console/alerts/destinations/{name}/test",
            post(alerts_page::test),
        )
        .merge(setup())
        .route("/console/audit", get(audit_page::show))
        .route("/console/assets/{name}", get(assets::serve))
}

/// What the configuration has set up, as it works.
fn setup() -> Router<Arc<Scheduler>> {
    Router::new()
        .route("/console/routes", get(routes_page::list))
        .route("/console/routes/{name}", get(routes_page::show))
        .route(
            "/console/routes/{name}/off",
            get(routes_page::ask_off).post(routes_page::off),
        )
        .route(
            "/console/routes/{name}/on",
            get(routes_page::ask_on).post(routes_page::on),
        )
        .route("/console/connections", get(connections_page::list))
        .route("/console/connections/{name}", get(connections_page::show))
        .route(
            "/console/connections/{name}/check",
            post(connections_page::check),
        )
        .route(
            "/console/connections/{name}/circuit",
            get(connections_page::ask).post(connections_page::try_again),
        )
}
