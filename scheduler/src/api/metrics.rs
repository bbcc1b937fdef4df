use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use shared::telemetry::Metrics;

use super::problem::Problem;

/// Figures for dashboards
///
/// Prometheus text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "The figures of this process", body = String, content_type = "text/plain; version=0.0.4")),
)]
pub(crate) async fn metrics() -> Result<impl IntoResponse, Problem> {
    let metrics = Metrics::install().map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "metrics cannot be shown");
        Problem::internal()
    })?;
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics.render(),
    ))
}
