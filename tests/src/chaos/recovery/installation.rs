//! Two schedulers and some workers with the settings that the program comes with, on PostgreSQL, Redis and a simulated instance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use shared::job::JobState;
use shared::store::{Store, jobs};
use simulator::{Options, Simulator};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::binary::{Home, Running};
use crate::databases::{Flavour, TestDatabase, fresh};
use crate::redis_server::RedisServer;

/// How long the instance thinks about each call, so that workers have jobs in hand at any moment.
const LATENCY_MS: u64 = 600;
/// Between two requests. Two workers can do more than twice as much, so no job waits for another.
const BETWEEN: Duration = Duration::from_millis(200);
/// How long the flow may take to come to its end.
const PATIENCE: Duration = Duration::from_mins(3);
const BEAT: Duration = Duration::from_millis(250);

/// What is measured. Fields are dropped from the first to the last.
pub(super) struct Installation {
    workers: Mutex<Vec<Running>>,
    schedulers: Vec<Running>,
    home: Home,
    urls: Vec<String>,
    token: String,
    http: Client,
    taken: Arc<Mutex<usize>>,
    simulator: Simulator,
    database: TestDatabase,
    _redis: RedisServer,
}

/// A worker that was killed.
pub(super) struct Killed {
    pub(super) process: u32,
    pub(super) at: Instant,
}

/// A steady flow of requests.
pub(super) struct Flow(CancellationToken);

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) requests: usize,
    /// Requests that have no ticket in ServiceNow.
    pub(super) without: usize,
    /// Tickets beyond the first of a request.
    pub(super) doubled: usize,
    /// Jobs that were given up.
    pub(super) dead: u64,
}

impl Installation {
    pub(super) async fn start(workers: usize) -> anyhow::Result<Self> {
        let redis = RedisServer::start_with(&["--appendonly", "yes"]);
        let database = fresh(Flavour::Postgres).await;
        let simulator = Simulator::start(Options::default()).await?;
        let url = database.options.url.expose_secret();
        let home = Home::with(&configuration(&simulator, &redis.url(), url));
        let made = home.run("token create --source idm --json").with_code(0);
        let token = made.json()["token"].as_str().context("a token")?.to_owned();
        // Fails when a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut it = Self {
            workers: Mutex::default(),
            schedulers: Vec::new(),
            home,
            urls: Vec::new(),
            token,
            http: Client::builder().build()?,
            taken: Arc::default(),
            simulator,
            database,
            _redis: redis,
        };
        for _ in 0..2 {
            it.start_scheduler()?;
        }
        for _ in 0..workers {
            it.start_worker();
        }
        Ok(it)
    }

    fn start_scheduler(&mut self) -> anyhow::Result<()> {
        let process = self.home.start("scheduler");
        let line = process.logged("the scheduler answers");
        let fields = [&line["address"], &line["fields"]["address"]];
        let address = fields.into_iter().find_map(Value::as_str);
        let address = address.context("a scheduler says where it answers")?;
        self.urls.push(format!("http://{address}/v1/requests"));
        self.schedulers.push(process);
        Ok(())
    }

    fn start_worker(&self) {
        let worker = self.home.start("worker");
        worker.logged("worker starts");
        lock(&self.workers).push(worker);
    }

    pub(super) fn store(&self) -> &Store {
        &self.database.store
    }

    /// Begins to send requests.
    pub(super) fn flow(&self) -> Flow {
        let stop = CancellationToken::new();
        let (http, urls, token) = (self.http.clone(), self.urls.clone(), self.token.clone());
        let count = Arc::clone(&self.taken);
        let sending = async move {
            for number in 0_usize.. {
                let body = crate::bridge::asked(&format!("R-{number}"), "access");
                let call = http.post(&urls[number % urls.len()]).bearer_auth(&token);
                let answer = call.json(&body).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    *lock(&count) += 1;
                }
                sleep(BETWEEN).await;
            }
        };
        TaskTracker::new().spawn(stop.clone().run_until_cancelled_owned(sending));
        Flow(stop)
    }

    /// Until the bridge knows its table, and the instance takes its time.
    pub(super) async fn warm_up(&self) -> anyhow::Result<()> {
        self.until("the first tickets are there", async || {
            Ok(self.ticket_counts().len() >= 5)
        })
        .await?;
        self.simulator
            .set_knobs(|knobs| knobs.latency_ms = LATENCY_MS);
        Ok(())
    }

    /// Kills a worker and starts another in its place.
    pub(super) fn kill(&self, index: usize) -> anyhow::Result<Killed> {
        let victim = {
            let mut workers = lock(&self.workers);
            ensure!(index < workers.len(), "there is no worker {index}");
            workers.remove(index)
        };
        let killed = Killed {
            process: victim.id(),
            at: Instant::now(),
        };
        let replaced = tokio::task::block_in_place(|| {
            victim.kill();
            self.home.start("worker")
        });
        lock(&self.workers).insert(index, replaced);
        Ok(killed)
    }

    /// Waits until every request has what it will get, and compares.
    pub(super) async fn quiet(&self) -> anyhow::Result<Outcome> {
        self.simulator.set_knobs(|knobs| knobs.latency_ms = 0);
        let requests = *lock(&self.taken);
        let at_rest = self.until("every job has ended", async || {
            let counts = jobs::counts(self.store().conn()).await?;
            let create = |it: &&jobs::LaneCount| it.lane.starts_with("create-ticket");
            Ok(counts
                .iter()
                .filter(create)
                .all(|it| it.state == JobState::Dead))
        });
        at_rest.await?;
        let counts = jobs::counts(self.store().conn()).await?;
        let dead = counts.iter().filter(|it| it.state == JobState::Dead);
        let tickets = self.ticket_counts();
        Ok(Outcome {
            requests,
            without: requests.saturating_sub(tickets.len()),
            doubled: tickets.values().map(|count| count - 1).sum(),
            dead: dead.map(|it| it.count).sum(),
        })
    }

    /// Tickets by the key of their request, as the instance has them.
    fn ticket_counts(&self) -> std::collections::BTreeMap<String, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for row in self
            .simulator
            .rows("incident", "correlation_display=TicketBridge")
        {
            *counts.entry(row["correlation_id"].clone()).or_default() += 1;
        }
        counts
    }

    async fn until(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let looking = async {
            while !look().await? {
                sleep(BEAT).await;
            }
            Ok(())
        };
        timeout(PATIENCE, looking)
            .await
            .with_context(|| format!("it never happened that {what}"))?
    }
}

impl Flow {
    pub(super) fn stop(self) {
        self.0.cancel();
    }
}

/// Nothing but what has no default.
fn configuration(simulator: &Simulator, redis: &str, database: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[database]
url = "{database}"
[queue]
kind = "redis"
[redis]
url = "{redis}"
[telemetry]
format = "json"
[connections.main]
base_url = "{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
choices_hours = 0
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}} for {{{{ requested_for }}}}"
"#,
        simulator.base_url()
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
