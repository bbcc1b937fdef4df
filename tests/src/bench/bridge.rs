//! The bridge itself, as real processes: from the first intake call to the last committed ticket.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Client;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::store::{Store, StoreOptions};
use tokio::time::sleep;

use super::processors::{parent, peak_kib, used_by_process, used_by_tree};
use super::upstream::Upstream;
use crate::binary::{Home, Running};
use crate::databases::{Flavour, TestDatabase, fresh};
use crate::redis_server::RedisServer;

/// Items of one intake call, and calls at a time.
const BATCH: usize = 500;
const CALLERS: usize = 4;
/// Connections to PostgreSQL beyond one for each job.
const MORE_CONNECTIONS: usize = 24;
/// A run that takes longer than this, and so long more for each create, has failed.
const PATIENCE: Duration = Duration::from_mins(1);
const SLOWEST: Duration = Duration::from_millis(50);
const BEAT: Duration = Duration::from_millis(200);

/// How the bridge runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// A scheduler, a worker, PostgreSQL with its durable defaults, Redis with an append-only file.
    Spread,
    /// `ticketbridge up`: one process on SQLite.
    Embedded,
}

/// What was measured.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    /// Processor seconds for a thousand creates, by process.
    pub(super) processors: Vec<(&'static str, f64)>,
    /// Most memory held, in KiB, by process.
    pub(super) memory: Vec<(&'static str, u64)>,
}

/// A running bridge. Dropped in this order.
pub(super) struct Bridge {
    processes: Vec<(&'static str, Running)>,
    url: String,
    token: String,
    http: Client,
    watch: Store,
    _home: Home,
    redis: Option<RedisServer>,
    _database: Option<TestDatabase>,
}

/// Takes `requests` in and waits for their tickets.
pub(super) async fn measure(
    setup: Setup,
    upstream: &Upstream,
    requests: usize,
    concurrency: usize,
) -> anyhow::Result<Measured> {
    let bridge = Bridge::start(setup, &upstream.url(), concurrency).await?;
    // The first creates learn how the table treats ids; they are not counted.
    bridge.take_in(0..concurrency).await?;
    bridge.until_tickets(concurrency).await?;
    let before = bridge.processors().await?;
    let started = Instant::now();
    bridge.take_in(concurrency..concurrency + requests).await?;
    bridge.until_tickets(concurrency + requests).await?;
    let took = started.elapsed();
    let after = bridge.processors().await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let requests = requests as f64;
    let used = before.iter().zip(after);
    Ok(Measured {
        per_second: requests / took.as_secs_f64(),
        processors: used
            .map(|((name, before), (_, after))| {
                (
                    *name,
                    after.saturating_sub(*before).as_secs_f64() * 1_000.0 / requests,
                )
            })
            .collect(),
        memory: bridge
            .processes
            .iter()
            .map(|(name, it)| Ok((*name, peak_kib(it.id())?)))
            .collect::<anyhow::Result<_>>()?,
    })
}

impl Bridge {
    /// With default settings, but for the number of calls at a time.
    pub(super) async fn start(
        setup: Setup,
        upstream: &str,
        concurrency: usize,
    ) -> anyhow::Result<Self> {
        let spread = setup == Setup::Spread;
        let database = if spread {
            Some(fresh(Flavour::Postgres).await)
        } else {
            None
        };
        let redis = spread.then(|| RedisServer::start_with(&["--appendonly", "yes"]));
        let servers = match (&database, &redis) {
            (Some(database), Some(redis)) => servers(database, redis, concurrency),
            _ => "[database]\nurl = \"sqlite://bench.db\"\n".to_owned(),
        };
        let home = Home::with(&configuration(&servers, upstream, concurrency));
        let made = home.run("token create --source idm --json").with_code(0);
        let token = made.json()["token"].as_str().context("a token")?.to_owned();
        let (processes, url) = start(&home, setup)?;
        let watch = match &database {
            Some(database) => database.reopen().await,
            None => Store::connect(&beside(&home)).await?,
        };
        Ok(Self {
            processes,
            url,
            token,
            http: Client::builder().build()?,
            watch,
            _home: home,
            redis,
            _database: database,
        })
    }

    async fn take_in(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let numbers: Vec<usize> = numbers.collect();
        let calls = numbers.chunks(BATCH).map(|some| {
            let items: Vec<Value> = some.iter().map(|number| asked(*number)).collect();
            let count = items.len();
            let call = self
                .http
                .post(format!("{}/v1/requests:batch", self.url))
                .bearer_auth(&self.token)
                .json(&json!({ "items": items }));
            async move {
                let answer: Value = call.send().await?.json().await?;
                ensure!(answer["accepted"] == count, "{answer}");
                anyhow::Ok(())
            }
        });
        stream::iter(calls)
            .buffer_unordered(CALLERS)
            .try_collect()
            .await
    }

    /// Asks for one; how long the call took is the caller's to measure.
    pub(super) async fn take_in_one(&self, number: usize) -> anyhow::Result<()> {
        let call = self.http.post(format!("{}/v1/requests", self.url));
        let answer = call
            .bearer_auth(&self.token)
            .json(&asked(number))
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    }

    /// Waits until so many creates have been committed, each as a ticket. The question that is asked over and over costs the same
    /// however many are open: what it costs is counted with the rest.
    pub(super) async fn until_tickets(&self, count: usize) -> anyhow::Result<()> {
        let open = "SELECT COUNT(*) AS number FROM (SELECT 1 FROM jobs WHERE finished_at IS NULL \
                    AND kind = 'create_ticket.v1' LIMIT 1) AS one";
        let deadline = Instant::now() + SLOWEST * u32::try_from(count)? + PATIENCE;
        while self.number(open).await? > 0 {
            ensure!(Instant::now() < deadline, "the creates do not end");
            sleep(BEAT).await;
        }
        let made = "SELECT COUNT(*) AS number FROM tickets WHERE number IS NOT NULL";
        let made = self.number(made).await?;
        ensure!(
            usize::try_from(made) == Ok(count),
            "{made} tickets of {count}"
        );
        Ok(())
    }

    async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let backend = if self.redis.is_some() {
            DbBackend::Postgres
        } else {
            DbBackend::Sqlite
        };
        let statement = Statement::from_string(backend, sql);
        let row = self.watch.conn().query_one_raw(statement).await?;
        Ok(row.context("a row")?.try_get("", "number")?)
    }

    async fn processors(&self) -> anyhow::Result<Vec<(&'static str, Duration)>> {
        let mut used = vec![("producer", used_by_process(std::process::id())?)];
        for (name, process) in &self.processes {
            used.push((name, used_by_process(process.id())?));
        }
        if let Some(redis) = &self.redis {
            used.push(("redis", used_by_process(redis.process())?));
            let backend = self
                .number("SELECT pg_backend_pid()::bigint AS number")
                .await?;
            let server = parent(u32::try_from(backend)?)?;
            used.push(("postgres", used_by_tree(server)?));
        }
        Ok(used)
    }
}

/// The processes, and where the API answers.
fn start(home: &Home, setup: Setup) -> anyhow::Result<(Vec<(&'static str, Running)>, String)> {
    let first = match setup {
        Setup::Spread => "scheduler",
        Setup::Embedded => "up",
    };
    let scheduler = home.start(first);
    let line = scheduler.logged("the scheduler answers");
    let fields = [&line["address"], &line["fields"]["address"]];
    let address = fields.into_iter().find_map(Value::as_str);
    let url = format!("http://{}", address.context("an address")?);
    let mut processes = vec![(first, scheduler)];
    if setup == Setup::Spread {
        let worker = home.start("worker");
        worker.logged("worker starts");
        processes.push(("worker", worker));
    }
    Ok((processes, url))
}

fn servers(database: &TestDatabase, redis: &RedisServer, concurrency: usize) -> String {
    format!(
        "[database]\nurl = \"{}\"\nmax_connections = {}\n[queue]\nkind = \"redis\"\n[redis]\nurl = \"{}\"\n",
        database.options.url.expose_secret(),
        concurrency + MORE_CONNECTIONS,
        redis.url()
    )
}

fn configuration(servers: &str, upstream: &str, concurrency: usize) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
{servers}
[worker]
create_ticket_concurrency = {concurrency}
[telemetry]
format = "json"
filter = "warn,scheduler=info,worker=info,ticketbridge=info"
[connections.main]
base_url = "{upstream}"
auth = "basic"
user = "bridge"
password = "fictional"
max_in_flight = {concurrency}
poll_seconds = 3600
reconcile_minutes = 600
drift_minutes = 0
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}} for {{{{ requested_for }}}}"
"#
    )
}

/// The SQLite file of an embedded bridge, for a second reader.
fn beside(home: &Home) -> StoreOptions {
    StoreOptions {
        url: format!("sqlite://{}", home.path().join("bench.db").display()).into(),
        max_connections: 1,
        acquire_timeout: PATIENCE,
    }
}

fn asked(number: usize) -> Value {
    json!({
        "external_id": format!("R-{number}"),
        "category": "access",
        "item": "Ledger: read access",
        "requester": "sam.sample",
        "requested_for": "fern.example",
        "justification": "Month-end closing",
    })
}
