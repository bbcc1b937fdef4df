//! The bridge itself, as real processes, and what is asked of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::{Client, StatusCode};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use shared::store::{Store, StoreOptions};
use tokio::time::sleep;

use super::processors::{parent, peak_kib, used_by_process, used_by_tree};
use super::settings;
use crate::binary::{Home, Running};
use crate::databases::{Flavour, TestDatabase, fresh};
use crate::redis_server::RedisServer;

/// Items of one intake call, and calls at a time.
const BATCH: usize = 500;
const CALLERS: usize = 4;
/// A run that takes longer than this, and so long more for each create, has failed.
const PATIENCE: Duration = Duration::from_mins(1);
const SLOWEST: Duration = Duration::from_millis(50);
const BEAT: Duration = Duration::from_millis(100);
/// An hour: nothing is asked for while creates are measured.
pub(super) const NO_POLLS: u32 = 3600;

/// Something of every kind of process, by the name of the kind.
pub(super) type ByKind<T> = Vec<(&'static str, T)>;

/// How the bridge runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// Schedulers and workers, PostgreSQL with its durable defaults, Redis with an append-only file.
    Spread { schedulers: usize, workers: usize },
    /// `ticketbridge up`: one process on SQLite.
    Embedded,
}

impl Setup {
    pub(super) const ONE_OF_EACH: Self = Self::Spread {
        schedulers: 1,
        workers: 1,
    };
}

/// What is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) setup: Setup,
    /// Base URL of the instance.
    pub(super) upstream: &'a str,
    /// Calls at a time, of all workers together.
    pub(super) concurrency: usize,
    pub(super) poll_seconds: u32,
}

/// A running bridge. Dropped in this order.
pub(super) struct Bridge {
    processes: ByKind<Running>,
    /// Of each scheduler.
    urls: Vec<String>,
    token: String,
    http: Client,
    watch: Store,
    home: Home,
    redis: Option<RedisServer>,
    _database: Option<TestDatabase>,
}

impl Bridge {
    /// On an empty database.
    pub(super) async fn start(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let database = match plan.setup {
            Setup::Spread { .. } => Some(fresh(Flavour::Postgres).await),
            Setup::Embedded => None,
        };
        Self::over(plan, database).await
    }

    /// On a database that may hold something; none for one process on SQLite.
    pub(super) async fn over(
        plan: &Plan<'_>,
        database: Option<TestDatabase>,
    ) -> anyhow::Result<Self> {
        let redis = database
            .is_some()
            .then(|| RedisServer::start_with(&["--appendonly", "yes"]));
        let servers = database.as_ref().zip(redis.as_ref());
        let home = Home::with(&settings::toml(plan, servers));
        let made = home.run("token create --source idm --json").with_code(0);
        let token = made.json()["token"].as_str().context("a token")?.to_owned();
        let (processes, urls) = start(&home, plan.setup)?;
        let watch = match &database {
            Some(database) => database.reopen().await,
            None => Store::connect(&beside(&home)).await?,
        };
        Ok(Self {
            processes,
            urls,
            token,
            http: Client::builder().build()?,
            watch,
            home,
            redis,
            _database: database,
        })
    }

    /// Asks for the requests of these numbers, of all schedulers in turn.
    pub(super) async fn take_in(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let numbers: Vec<usize> = numbers.collect();
        let schedulers = self.urls.iter().cycle();
        let calls = numbers.chunks(BATCH).zip(schedulers).map(|(some, url)| {
            let items: Vec<Value> = some.iter().map(|number| asked(*number)).collect();
            let count = items.len();
            let call = self
                .http
                .post(format!("{url}/v1/requests:batch"))
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
        let url = self.urls.first().context("a scheduler")?;
        let call = self.http.post(format!("{url}/v1/requests"));
        let answer = call
            .bearer_auth(&self.token)
            .json(&asked(number))
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    }

    /// The token of a new operator who may do everything.
    pub(super) fn operator(&self) -> anyhow::Result<String> {
        let create = "operator create vera --role admin --no-password";
        self.home.run(create).with_code(0);
        let made = self.home.run("operator token vera --json").with_code(0);
        let token = made.json()["token"].as_str().context("a token")?.to_owned();
        Ok(token)
    }

    /// Reads the whole answer to a GET of the first scheduler.
    pub(super) async fn get(&self, path: &str, token: &str) -> anyhow::Result<StatusCode> {
        let url = self.urls.first().context("a scheduler")?;
        let call = self.http.get(format!("{url}{path}")).bearer_auth(token);
        let answer = call.send().await?;
        let status = answer.status();
        answer.bytes().await?;
        Ok(status)
    }

    /// Waits until every create has ended; so many were asked for. The question that is asked over and over costs the same however
    /// many are open: what it costs is counted with the rest.
    pub(super) async fn until_created(&self, count: usize) -> anyhow::Result<()> {
        let open = "SELECT COUNT(*) AS number FROM (SELECT 1 FROM jobs WHERE finished_at IS NULL \
                    AND kind = 'create_ticket.v1' LIMIT 1) AS one";
        let deadline = Instant::now() + SLOWEST * u32::try_from(count)? + PATIENCE;
        while self.number(open).await? > 0 {
            ensure!(Instant::now() < deadline, "the creates do not end");
            sleep(BEAT).await;
        }
        Ok(())
    }

    /// Creates that have been committed, each as a ticket. Every ticket there is, is looked at.
    pub(super) async fn tickets(&self) -> anyhow::Result<usize> {
        let made = "SELECT COUNT(*) AS number FROM tickets WHERE number IS NOT NULL";
        Ok(usize::try_from(self.number(made).await?)?)
    }

    /// The whole number that a statement names `number`.
    pub(super) async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let backend = if self.redis.is_some() {
            DbBackend::Postgres
        } else {
            DbBackend::Sqlite
        };
        let statement = Statement::from_string(backend, sql);
        let row = self.watch.conn().query_one_raw(statement).await?;
        Ok(row.context("a row")?.try_get("", "number")?)
    }

    /// A second look at the database.
    pub(super) fn store(&self) -> &Store {
        &self.watch
    }

    /// What has been used of the processors so far, by kind of process.
    pub(super) async fn processors(&self) -> anyhow::Result<ByKind<Duration>> {
        let mut used = vec![("producer", used_by_process(std::process::id())?)];
        for (name, process) in &self.processes {
            let more = used_by_process(process.id())?;
            match used.iter_mut().find(|(known, _)| known == name) {
                Some((_, used)) => *used += more,
                None => used.push((name, more)),
            }
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

    /// Most memory that one process held, in KiB, by kind of process.
    pub(super) fn memory(&self) -> anyhow::Result<ByKind<u64>> {
        let mut most: ByKind<u64> = Vec::new();
        for (name, process) in &self.processes {
            let held = peak_kib(process.id())?;
            match most.iter_mut().find(|(known, _)| known == name) {
                Some((_, most)) => *most = held.max(*most),
                None => most.push((name, held)),
            }
        }
        Ok(most)
    }
}

/// The processes, and where the API answers.
fn start(home: &Home, setup: Setup) -> anyhow::Result<(ByKind<Running>, Vec<String>)> {
    let (first, schedulers, workers) = match setup {
        Setup::Spread {
            schedulers,
            workers,
        } => ("scheduler", schedulers, workers),
        Setup::Embedded => ("up", 1, 0),
    };
    let mut processes = Vec::new();
    let mut urls = Vec::new();
    for _ in 0..schedulers {
        let scheduler = home.start(first);
        let line = scheduler.logged("the scheduler answers");
        let fields = [&line["address"], &line["fields"]["address"]];
        let address = fields.into_iter().find_map(Value::as_str);
        urls.push(format!("http://{}", address.context("an address")?));
        processes.push((first, scheduler));
    }
    for _ in 0..workers {
        let worker = home.start("worker");
        worker.logged("worker starts");
        processes.push(("worker", worker));
    }
    Ok((processes, urls))
}

/// The SQLite file of an embedded bridge, for a second reader.
fn beside(home: &Home) -> StoreOptions {
    StoreOptions {
        url: format!("sqlite://{}", home.path().join("bench.db").display()).into(),
        max_connections: 1,
        acquire_timeout: PATIENCE,
    }
}

/// The numbers of a past have another letter.
fn asked(number: usize) -> Value {
    json!({
        "external_id": format!("B-{number}"),
        "category": "access",
        "item": "Ledger: read access",
        "requester": "sam.sample",
        "requested_for": "fern.example",
        "justification": "Month-end closing",
    })
}
