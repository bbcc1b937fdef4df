//! What a worker tells about itself over HTTP: that it lives, whether it works, its metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use shared::budget::Throttled;
use shared::degraded::Degraded;
use shared::server::{self, Limits};
use shared::store::circuits;
use shared::telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::context::Context;

/// Orchestrators and scrapers are few, and ask often.
const MAX_CONNECTIONS: usize = 64;
/// Whoever asks wants to know now.
const PATIENCE: Duration = Duration::from_secs(3);
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Takes the address of `worker.listen`.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; stop the program that has it, or set worker.listen to another address"
        )
    })
}

/// Serves `/healthz`, `/readyz` and `/metrics` until the stop.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    metrics: Metrics,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let limits = Limits {
        max_connections: MAX_CONNECTIONS,
        idle_timeout: IDLE_TIMEOUT,
        drain: ctx.settings.worker.drain(),
    };
    let router = Router::new()
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async move || metrics.render()))
        .with_state(ctx);
    server::serve(listener, router, limits, stop).await;
    Ok(())
}

/// A worker is ready while its heart-beat is acknowledged: only then do its claims hold. Without the broker it has nothing to
/// do, which is no fault of its own.
async fn readyz(State(ctx): State<Arc<Context>>) -> (StatusCode, Json<Value>) {
    let left = ctx.lease.left();
    let ready = !left.is_zero();
    let broker = ctx.broker.health().await.map_err(|error| error.to_string());
    let degraded = degraded(&ctx).await;
    let status = match (ready, degraded.is_empty()) {
        (false, _) => "unready",
        (true, false) => "degraded",
        (true, true) => "ready",
    };
    let answer = json!({
        "ready": ready,
        "worker": ctx.lease.owner(),
        "lease_left_ms": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        "broker_problem": broker.err(),
        "status": status,
        "throttled": throttled(&ctx),
        "degraded": degraded,
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(answer))
}

/// All that is not called for now. While the database does not say what circuits hold, it is what the budget says.
async fn degraded(ctx: &Context) -> Vec<Degraded> {
    let open = tokio::time::timeout(PATIENCE, circuits::all(ctx.store.conn())).await;
    let open = open.ok().and_then(Result::ok).unwrap_or_default();
    shared::degraded::degraded(&open, &ctx.budget.standings(), ctx.clock.now())
}

/// The connections that the budget lets nobody call for now: no fault of this worker, and until when is known.
fn throttled(ctx: &Context) -> Vec<Value> {
    let standings = ctx.budget.standings().into_iter();
    standings
        .filter_map(|standing| {
            let Throttled { until, reason } = standing.throttled?;
            Some(json!({"connection": standing.connection, "until": until, "reason": reason}))
        })
        .collect()
}
