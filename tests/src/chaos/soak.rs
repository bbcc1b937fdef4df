//! Many requests through PostgreSQL, Redis and processes of their own: memory stays flat, Redis holds live work only, and
//! everything ends right.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Client, RequestBuilder};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use simulator::{CallFilter, Knobs, Options, Simulator};
use tokio::time::{Instant, sleep, timeout};

use super::Verdict;
use crate::binary::{Home, Running};
use crate::databases::{Flavour, TestDatabase, fresh};
use crate::redis_server::RedisServer;
use crate::terminal;

/// Requests of one call.
const BATCH: usize = 500;
/// Requests whose work has not ended, at most: as much as a steady flow would have under way.
const UNDER_WAY: i64 = 2_000;
/// One of so many is ended by its source, and its ticket with it.
const ENDED: usize = 10;
/// Without progress for so long, the run has failed.
const PATIENCE: Duration = Duration::from_mins(2);
const BEAT: Duration = Duration::from_millis(100);
/// Memory at the end, at most so many hundredths of that after a tenth.
const GROWTH: u64 = 120;

/// Options of the soak.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// How many requests.
    #[arg(long, default_value_t = 100_000)]
    pub requests: usize,
}

/// Runs it. Wants what `cargo xtask chaos` puts into the environment.
pub async fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let requests = arguments.requests;
    ensure!(requests >= 10 * BATCH, "at least {} requests", 10 * BATCH);
    let mut soak = Soak::start().await?;
    let started = Instant::now();
    soak.flow(0..requests / 10).await?;
    let early = soak.figures();
    terminal::say(&format!("a tenth after {:.0?}", started.elapsed()));
    soak.flow(requests / 10..requests).await?;
    let took = started.elapsed();
    let late = soak.figures();
    let wrong = soak.wrong(requests).await?;
    Ok(verdict(requests, took, &early, &late, &wrong))
}

/// The installation and those who use it.
struct Soak {
    processes: Vec<(&'static str, Running)>,
    urls: Vec<String>,
    http: Client,
    token: String,
    simulator: Simulator,
    redis: RedisServer,
    database: TestDatabase,
    _home: Home,
}

/// What is held at a moment.
struct Figures {
    /// Memory of each process, in KiB.
    memory: Vec<(&'static str, u64)>,
    redis_keys: u64,
    redis_bytes: u64,
}

impl Soak {
    async fn start() -> anyhow::Result<Self> {
        let (database, redis) = (fresh(Flavour::Postgres).await, RedisServer::start());
        let simulator = Simulator::start(an_instance_with_room()).await?;
        let url = database.options.url.expose_secret();
        let home = Home::with(&configuration(&simulator, &redis.url(), url));
        let made = home
            .run("token create --source idm --json")
            .with_code(0)
            .json();
        let token = made["token"].as_str().context("a token")?.to_owned();
        let mut processes = Vec::new();
        let mut urls = Vec::new();
        for name in ["scheduler 1", "scheduler 2"] {
            let process = home.start("scheduler");
            let line = process.logged("the scheduler answers");
            let address = [&line["address"], &line["fields"]["address"]];
            let address = address.into_iter().find_map(Value::as_str);
            urls.push(format!("http://{}", address.context("an address")?));
            processes.push((name, process));
        }
        for name in ["worker 1", "worker 2"] {
            let process = home.start("worker");
            process.logged("worker starts");
            processes.push((name, process));
        }
        // Fails when a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            processes,
            urls,
            http: Client::builder().build()?,
            token,
            simulator,
            redis,
            database,
            _home: home,
        })
    }

    fn conn(&self) -> &DatabaseConnection {
        self.database.store.conn()
    }

    /// Takes these requests in, ends some of them, and waits until nothing is left to do.
    async fn flow(&mut self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let numbers: Vec<usize> = numbers.collect();
        let mut to_end = Vec::new();
        for (turn, some) in numbers.chunks(BATCH).enumerate() {
            let url = &self.urls[turn % self.urls.len()];
            let items: Vec<Value> = some.iter().map(|number| asked(*number)).collect();
            let batch = format!("{url}/v1/requests:batch");
            let answer = self.post(&batch, &json!({ "items": items })).await?;
            let taken = answer["items"].as_array().context("an answer for each")?;
            // Those of the turn before have their tickets by now, or soon.
            self.end(url, &to_end).await?;
            to_end = taken
                .iter()
                .step_by(ENDED)
                .map(|item| item["id"].as_str().map(str::to_owned).context("an id"))
                .collect::<Result<_, _>>()?;
            self.until_under_way(UNDER_WAY).await?;
        }
        self.end(&self.urls[0], &to_end).await?;
        self.until_under_way(0).await
    }

    /// The source ends these requests, each once it has its ticket: one that ends before needs none and gets none.
    async fn end(&self, url: &str, ids: &[String]) -> anyhow::Result<()> {
        for id in ids {
            let request = format!("{url}/v1/requests/{id}");
            let wait = format!("{request}/wait?for=ticket&timeout_seconds=60");
            let shown = self.call(self.http.get(&wait)).await?;
            ensure!(shown["reached"] == true, "no ticket in time: {shown}");
            let said = json!({"status": "fulfilled", "reason": "Handed over."});
            self.post(&format!("{request}/status"), &said).await?;
        }
        Ok(())
    }

    async fn post(&self, url: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(self.http.post(url).json(body)).await
    }

    async fn call(&self, call: RequestBuilder) -> anyhow::Result<Value> {
        let answer = call.bearer_auth(&self.token).send().await?;
        let (url, status) = (answer.url().clone(), answer.status());
        let text = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until at most so many jobs have not ended.
    async fn until_under_way(&self, most: i64) -> anyhow::Result<()> {
        let (mut before, mut since) = (i64::MAX, Instant::now());
        loop {
            let now = self.number("SELECT COUNT(*) AS number FROM jobs WHERE state IN ('due', 'rung', 'running', 'parked')").await?;
            if now <= most {
                return Ok(());
            }
            if now < before {
                (before, since) = (now, Instant::now());
            }
            ensure!(since.elapsed() < PATIENCE, "{now} jobs do not end");
            sleep(BEAT).await;
        }
    }

    async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = timeout(PATIENCE, self.conn().query_one_raw(statement)).await??;
        Ok(row.context("a row")?.try_get("", "number")?)
    }

    fn figures(&self) -> Figures {
        let info = self.redis.send("INFO memory");
        let bytes = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.parse().ok());
        Figures {
            memory: self
                .processes
                .iter()
                .map(|(name, it)| (*name, it.memory_kib()))
                .collect(),
            redis_keys: self
                .redis
                .send("DBSIZE")
                .trim_start_matches(':')
                .parse()
                .unwrap_or(u64::MAX),
            redis_bytes: bytes.unwrap_or(u64::MAX),
        }
    }

    /// What is not as it should be, request by request: in words, with how many.
    async fn wrong(&self, requests: usize) -> anyhow::Result<Vec<(&'static str, usize)>> {
        let sql = "SELECT id::text AS id, state, (SELECT sys_id FROM tickets WHERE request_id = requests.id) AS sys_id FROM requests";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let stored = self.conn().query_all_raw(statement).await?;
        let mut tickets: HashMap<String, Vec<(String, bool)>> = HashMap::new();
        for row in self
            .simulator
            .rows("incident", "correlation_display=TicketBridge")
        {
            let ended = ["6", "7"].contains(&row["state"].as_str());
            tickets
                .entry(row["correlation_id"].clone())
                .or_default()
                .push((row["sys_id"].clone(), ended));
        }
        let made: usize = tickets.values().map(Vec::len).sum();
        let (mut lost, mut doubled, mut differing) = (requests.abs_diff(stored.len()), 0, 0);
        for row in &stored {
            let (id, state): (String, String) = (row.try_get("", "id")?, row.try_get("", "state")?);
            let sys_id: Option<String> = row.try_get("", "sys_id")?;
            match tickets.remove(&id).as_deref() {
                None => lost += 1,
                Some([(made, ended)]) => {
                    let same = sys_id.as_ref() == Some(made) && *ended == (state == "fulfilled");
                    let known = *ended || state == "open";
                    differing += usize::from(!(same && known));
                }
                Some(_) => doubled += 1,
            }
        }
        let ended = self
            .number("SELECT COUNT(*) AS number FROM requests WHERE state = 'fulfilled'")
            .await?;
        let creates = self
            .simulator
            .count(&CallFilter::kind_on("table.create", "incident"));
        Ok(vec![
            ("lost", lost),
            ("doubled", doubled),
            ("differing", differing),
            ("tickets of nobody", tickets.len()),
            ("creates too many", creates.saturating_sub(made)),
            (
                "not ended by their source",
                (requests / ENDED).abs_diff(usize::try_from(ended)?),
            ),
        ])
    }
}

fn verdict(
    requests: usize,
    took: Duration,
    early: &Figures,
    late: &Figures,
    wrong: &[(&'static str, usize)],
) -> Verdict {
    let mut table = String::new();
    let mut holds = true;
    let mut line = |name: &str, text: String, good: bool| {
        holds &= good;
        // Writing to a text does not fail.
        writeln!(
            table,
            "{name:<28} {text}{}",
            if good { "" } else { "   <-- broken" }
        )
        .ok();
    };
    let rate = requests as u128 * 1_000 / took.as_millis().max(1);
    line(
        "requests",
        format!("{requests} in {:.0} s, {rate} a second", took.as_secs_f64()),
        true,
    );
    for ((name, before), (_, after)) in early.memory.iter().zip(&late.memory) {
        let flat = after * 100 <= before * GROWTH;
        line(
            name,
            format!("{before} KiB after a tenth, {after} KiB at the end"),
            flat,
        );
    }
    // Lanes come and go as lists; nothing else may pile up.
    let flat = late.redis_keys <= early.redis_keys.max(16);
    line(
        "keys in Redis",
        format!(
            "{} after a tenth, {} at the end",
            early.redis_keys, late.redis_keys
        ),
        flat,
    );
    let flat = late.redis_bytes <= early.redis_bytes * GROWTH / 100 + 1024 * 1024;
    line(
        "bytes in Redis",
        format!(
            "{} after a tenth, {} at the end",
            early.redis_bytes, late.redis_bytes
        ),
        flat,
    );
    for (what, count) in wrong {
        line(what, count.to_string(), *count == 0);
    }
    Verdict { table, holds }
}

/// The bridge is what is measured: as many calls at a time as it wants to make.
fn an_instance_with_room() -> Options {
    let knobs = Knobs {
        semaphore: None,
        session_queue: None,
        ..Knobs::default()
    };
    Options {
        knobs,
        ..Options::default()
    }
}

fn configuration(simulator: &Simulator, redis: &str, database: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[database]
url = "{database}"
max_connections = 32
[queue]
kind = "redis"
[redis]
url = "{redis}"
[worker]
create_ticket_concurrency = 12
update_status_concurrency = 12
[telemetry]
format = "json"
filter = "error,ticketbridge=info,worker::start=info,worker=info"
[connections.main]
base_url = "{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
max_in_flight = 128
poll_seconds = 3600
[sources.idm]
[[routes]]
name = "badge"
category = "badge"
connection = "main"
table = "incident"
mastery = "source"
[routes.fields]
short_description = "{{{{ item }}}} for {{{{ requested_for }}}}"
"#,
        simulator.base_url()
    )
}

fn asked(number: usize) -> Value {
    json!({
        "external_id": format!("R-{number}"),
        "category": "badge",
        "item": "Site badge",
        "requester": "dana.manager",
        "requested_for": "nina.agent",
    })
}
