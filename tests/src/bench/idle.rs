//! How long an idle bridge takes from the intake call to the POST at the instance, with the commit in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::any;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bridge::{Bridge, NO_POLLS, Plan, Setup};

/// Calls at a time that the bridge is set up for; it makes one.
const CONCURRENCY: usize = 64;
/// Between two requests, so that the bridge is at rest again.
const REST: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_secs(30);

/// From the first byte of the intake call to the arrival of the POST.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) longest: Duration,
}

/// Sends so many requests, one after the other.
pub(super) async fn measure(requests: usize) -> anyhow::Result<Idle> {
    let (upstream, mut arrivals, stop) = listen().await?;
    let _stop = stop.drop_guard();
    let plan = Plan {
        setup: Setup::ONE_OF_EACH,
        upstream: &upstream,
        concurrency: CONCURRENCY,
        poll_seconds: NO_POLLS,
    };
    let bridge = Bridge::start(&plan).await?;
    let mut waits = Vec::with_capacity(requests);
    for number in 0..requests {
        let sent = Instant::now();
        bridge.take_in_one(number).await?;
        let arrived = timeout(PATIENCE, arrivals.recv()).await?;
        waits.push(
            arrived
                .context("a create arrives")?
                .saturating_duration_since(sent),
        );
        bridge.until_created(1).await?;
        sleep(REST).await;
    }
    let made = bridge.tickets().await?;
    ensure!(made == requests, "{made} tickets of {requests}");
    waits.sort_unstable();
    let at = |hundredth: usize| waits[(waits.len() * hundredth / 100).min(waits.len() - 1)];
    Ok(Idle {
        p50: at(50),
        p99: at(99),
        longest: at(100),
    })
}

/// An upstream that tells when a create has arrived.
async fn listen() -> anyhow::Result<(String, UnboundedReceiver<Instant>, CancellationToken)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (arrived, arrivals) = unbounded_channel();
    let router = Router::new()
        .route("/api/now/table/incident", any(create))
        .fallback(async || Json(json!({ "result": [] })))
        .with_state(Arc::new(arrived));
    let stop = CancellationToken::new();
    let serving = axum::serve(listener, router).into_future();
    TaskTracker::new().spawn(stop.clone().run_until_cancelled_owned(serving));
    Ok((url, arrivals, stop))
}

async fn create(
    State(arrived): State<Arc<UnboundedSender<Instant>>>,
    body: Option<Json<Value>>,
) -> (StatusCode, Json<Value>) {
    let Some(Json(Value::Object(mut row))) = body else {
        return (StatusCode::OK, Json(json!({ "result": [] })));
    };
    // Whoever measures has gone when nobody listens.
    arrived.send(Instant::now()).ok();
    let number = format!("INC{}", row["sys_id"].as_str().unwrap_or_default());
    let stamp = "2026-03-02 09:00:00";
    for (name, value) in [
        ("number", number.as_str()),
        ("state", "1"),
        ("sys_mod_count", "0"),
        ("sys_created_on", stamp),
        ("sys_updated_on", stamp),
    ] {
        row.insert(name.to_owned(), value.into());
    }
    (StatusCode::CREATED, Json(json!({ "result": row })))
}
