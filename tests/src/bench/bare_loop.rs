//! The least that anybody could write: a list in Redis and an HTTP client. It keeps no state, so a crash loses what it had in hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use redis::aio::MultiplexedConnection;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::upstream::{PATH, Upstream};
use crate::redis_server::RedisServer;

const LIST: &str = "creates";
/// Elements of one push and one pop.
const BATCH: usize = 100;

/// What the workers of the loop share.
struct Work {
    redis: MultiplexedConnection,
    client: Client,
    url: String,
    /// Popped, and not sent yet; `None` when the list is empty for good.
    popped: Mutex<Option<VecDeque<String>>>,
}

/// Creates a second, from the first push to the last answer.
pub(super) async fn per_second(
    upstream: &Upstream,
    requests: usize,
    concurrency: usize,
) -> anyhow::Result<f64> {
    let server = RedisServer::start_with(&["--appendonly", "yes"]);
    let mut redis = redis::Client::open(server.url())?
        .get_multiplexed_async_connection()
        .await?;
    let work = Arc::new(Work {
        redis: redis.clone(),
        client: Client::builder()
            .pool_max_idle_per_host(concurrency)
            .build()?,
        url: format!("{}{PATH}", upstream.url()),
        popped: Mutex::new(Some(VecDeque::new())),
    });
    let bodies: Vec<String> = (0..requests).map(|_| body()).collect();
    let started = Instant::now();
    for some in bodies.chunks(BATCH) {
        redis::cmd("RPUSH")
            .arg(LIST)
            .arg(some)
            .exec_async(&mut redis)
            .await?;
    }
    let tasks = TaskTracker::new();
    let workers: Vec<_> = (0..concurrency)
        .map(|_| tasks.spawn(Arc::clone(&work).run()))
        .collect();
    let mut sent = 0;
    for worker in workers {
        sent += worker.await??;
    }
    let took = started.elapsed();
    ensure!(sent == requests, "{sent} of {requests} were sent");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    Ok(requests as f64 / took.as_secs_f64())
}

fn body() -> String {
    json!({
        "sys_id": Uuid::now_v7().simple().to_string(),
        "short_description": "Ledger: read access for fern.example",
        "correlation_id": Uuid::now_v7().to_string(),
        "correlation_display": "TicketBridge",
    })
    .to_string()
}

impl Work {
    /// Sends until nothing is left; how many.
    async fn run(self: Arc<Self>) -> anyhow::Result<usize> {
        let mut sent = 0;
        while let Some(body) = self.next().await? {
            let call = self.client.post(&self.url).body(body);
            let answer = call.header(CONTENT_TYPE, "application/json").send().await?;
            ensure!(answer.status().is_success(), "{}", answer.status());
            answer.bytes().await?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn next(&self) -> anyhow::Result<Option<String>> {
        let mut popped = self.popped.lock().await;
        let Some(waiting) = popped.as_mut() else {
            return Ok(None);
        };
        if waiting.is_empty() {
            let mut redis = self.redis.clone();
            let answer: Option<(String, Vec<String>)> = redis::cmd("LMPOP")
                .arg(1)
                .arg(LIST)
                .arg("LEFT")
                .arg("COUNT")
                .arg(BATCH)
                .query_async(&mut redis)
                .await
                .context("LMPOP")?;
            match answer {
                Some((_, more)) => waiting.extend(more),
                None => *popped = None,
            }
        }
        Ok(popped.as_mut().and_then(VecDeque::pop_front))
    }
}
