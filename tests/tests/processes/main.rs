//! The bridge as several processes of the real program: PostgreSQL, Redis and a simulated instance on its default knobs,
//! which are the nasty ones. The simulator runs in the test, so that its tables and its log can be read.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Method};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::job::JobState;
use shared::store::jobs::{self, Job};
use simulator::{AgentAction, CallFilter, Options, RowMap, Simulator};
use tests::binary::{Home, PATIENCE, Running};
use tests::databases::{Flavour, TestDatabase, fresh};
use tokio::time::{MissedTickBehavior, interval, timeout};

mod callbacks;
mod fifty;
mod killed;
mod poison;
mod postgres_gone;
mod recovery;
mod redis_gone;
mod throttled;
mod zombie;

/// Tables in which the routes make tickets.
const TABLES: [&str; 3] = ["incident", "sc_task", "sc_req_item"];

/// How often something outside of the test is looked at.
const BEAT: Duration = Duration::from_millis(50);

/// What all processes are configured with, but for addresses and secrets.
const ROUTES: &str = r#"
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.person]
field = "caller_id"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"

[[routes]]
name = "folder"
category = "folder"
connection = "main"
table = "sc_task"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"

[[routes]]
name = "catalog"
category = "catalog"
connection = "main"
catalog_item = "CATALOG_ITEM"
[routes.person]
field = "requested_for"
[routes.fields]
access_role = "{{ item }}"
justification = "Covers accounts payable."
bridge_ref = "{{ correlation_id }}"

[[routes]]
name = "badge"
category = "badge"
connection = "main"
table = "incident"
mastery = "source"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"
"#;

/// What the processes of one test share.
struct Installation {
    home: Home,
    simulator: Simulator,
    http: Client,
    token: String,
    /// Dropped last: the processes may still be connected.
    database: TestDatabase,
}

/// A scheduler and where it answers.
struct Scheduler {
    process: Running,
    url: String,
}

impl Installation {
    /// On a database of its own and this Redis.
    async fn new(redis: &str) -> Self {
        Self::with(redis, |it| it).await
    }

    /// The same with a change of the configuration.
    async fn with(redis: &str, change: impl FnOnce(String) -> String) -> Self {
        let database = fresh(Flavour::Postgres).await;
        let url = database.options.url.expose_secret().to_owned();
        let simulator = Simulator::start(Options::default())
            .await
            .expect("an instance starts");
        let toml = configuration(&simulator, redis, &url);
        let home = Home::with(&change(toml));
        let made = home
            .run("token create --source idm --json")
            .with_code(0)
            .json();
        let token = made["token"].as_str().expect("a token").to_owned();
        // Fails when a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .build()
            .expect("a client without special wishes");
        Self {
            home,
            simulator,
            http,
            token,
            database,
        }
    }

    fn scheduler(&self) -> Scheduler {
        let process = self.home.start("scheduler");
        let line = process.logged("the scheduler answers");
        Scheduler {
            url: format!("http://{}", address(&line)),
            process,
        }
    }

    fn worker(&self) -> Running {
        let process = self.home.start("worker");
        process.logged("worker starts");
        process
    }

    /// The job of a kind for a request, as stored.
    async fn job(&self, request: &str, kind: &str) -> Job {
        let id = request.parse().expect("an id");
        let jobs = jobs::of_request(self.database.store.conn(), id).await;
        let jobs = jobs.expect("the database is there");
        let found = jobs.into_iter().rfind(|job| job.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind} job of {request}"))
    }

    async fn call(&self, method: Method, url: &str, body: Option<&Value>) -> (u16, Value) {
        let mut call = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.send().await.expect("the scheduler answers");
        let status = answer.status().as_u16();
        (
            status,
            answer.json().await.expect("the API answers with JSON"),
        )
    }

    /// Sends a request, which must be taken; its id.
    async fn ask(&self, scheduler: &Scheduler, external_id: &str, category: &str) -> String {
        let url = format!("{}/v1/requests", scheduler.url);
        let (status, body) = self
            .call(Method::POST, &url, Some(&asked(external_id, category)))
            .await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// The source says something about a request.
    async fn say(&self, scheduler: &Scheduler, id: &str, body: &Value) {
        let url = format!("{}/v1/requests/{id}/status", scheduler.url);
        let (status, answer) = self.call(Method::POST, &url, Some(body)).await;
        assert!(status < 300, "{status} {answer}");
    }

    /// All requests, as a scheduler shows them.
    async fn requests(&self, scheduler: &Scheduler) -> Vec<Value> {
        let url = format!("{}/v1/requests?limit=200", scheduler.url);
        let (status, body) = self.call(Method::GET, &url, None).await;
        assert_eq!(status, 200, "{body}");
        body["items"].as_array().expect("a page").clone()
    }

    /// Waits until every request has this many tickets: one. Gives the requests.
    async fn until_each_has_its_ticket(&self, scheduler: &Scheduler, count: usize) -> Vec<Value> {
        until("every request has its ticket", async || {
            let requests = self.requests(scheduler).await;
            let has = |it: &Value| it["ticket"]["number"].is_string();
            (requests.len() == count && requests.iter().all(has)).then_some(requests)
        })
        .await
    }

    /// What `scheduler` says of its readiness.
    async fn readiness(&self, scheduler: &Scheduler) -> Value {
        self.call(Method::GET, &format!("{}/readyz", scheduler.url), None)
            .await
            .1
    }

    /// Everything the instance holds of ours, by `correlation_id`, with the table of each.
    fn tickets(&self) -> BTreeMap<String, Vec<(&'static str, RowMap)>> {
        let mut tickets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for table in TABLES {
            for row in self
                .simulator
                .rows(table, "correlation_display=TicketBridge")
            {
                tickets
                    .entry(row["correlation_id"].clone())
                    .or_default()
                    .push((table, row));
            }
        }
        tickets
    }

    /// Fails unless each of these requests has exactly one ticket, and nothing else was made.
    fn assert_one_ticket_each(&self, requests: &[Value]) {
        let tickets = self.tickets();
        let mut ids: Vec<_> = requests
            .iter()
            .map(|it| it["id"].as_str().expect("an id"))
            .collect();
        ids.sort_unstable();
        assert_eq!(tickets.keys().collect::<Vec<_>>(), ids);
        for (id, rows) in tickets {
            assert_eq!(rows.len(), 1, "{id} has {rows:#?}");
        }
    }

    /// How many creates the instance was sent.
    fn creates(&self) -> usize {
        let on = |table| {
            self.simulator
                .count(&CallFilter::kind_on("table.create", table))
        };
        on("incident")
            + on("sc_task")
            + self.simulator.count(&CallFilter::kind("catalog.order_now"))
    }

    /// Somebody works on every open ticket: takes it, then resolves it, or rejects it when its number ends with 0 or 5.
    /// Badges are left alone.
    fn work(&self) {
        for table in TABLES {
            let open = self
                .simulator
                .rows(table, "active=true^correlation_display=TicketBridge");
            for ticket in open {
                let number = &ticket["number"];
                let what = ticket.get("short_description");
                if !is_open(table, &ticket) || what.is_some_and(|it| it.starts_with("badge")) {
                    continue;
                }
                let action = if number.ends_with(['0', '5']) {
                    AgentAction::Reject {
                        comment: Some("The data owner says no.".to_owned()),
                    }
                } else if ticket.contains_key("assigned_to") {
                    AgentAction::Resolve {
                        code: None,
                        notes: Some("Access is set up.".to_owned()),
                    }
                } else {
                    AgentAction::Assign {
                        to: Some("nina.agent".to_owned()),
                        group: None,
                    }
                };
                self.simulator
                    .agent("nina.agent", number, &action)
                    .unwrap_or_else(|error| panic!("{number} {action:?}: {error}"));
            }
        }
    }
}

fn configuration(simulator: &Simulator, redis: &str, database: &str) -> String {
    let item = simulator
        .row("sc_cat_item", "name=Application access")
        .expect("the seed has the item");
    let routes = ROUTES.replace("CATALOG_ITEM", &item["sys_id"]);
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[database]
url = "{database}"
max_connections = 12
[queue]
kind = "redis"
[redis]
url = "{redis}"
[scheduler]
relay_interval_ms = 100
ring_again_seconds = 1
sweep_interval_ms = 200
[worker]
callback_concurrency = 2
heartbeat_ms = 500
lease_ms = 3000
write_margin_ms = 1500
[retry]
first_wait_ms = 100
[callbacks]
schedule_seconds = [1, 1, 1]
[telemetry]
format = "json"
filter = "warn,ticketbridge=info,worker=info,shared=info"
[connections.main]
base_url = "{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
poll_seconds = 1
reconcile_minutes = 1
[sources.idm]
{routes}"#,
        simulator.base_url()
    )
}

fn asked(external_id: &str, category: &str) -> Value {
    json!({
        "external_id": external_id,
        "category": category,
        "item": format!("{category} {external_id}"),
        "requester": "dana.manager",
        "requested_for": "nina.agent",
    })
}

/// Whether somebody still has to work on it. A resolved incident is active until it is closed, days later.
fn is_open(table: &str, row: &RowMap) -> bool {
    row["active"] == "true" && !(table == "incident" && row["state"] == "6")
}

/// `address` of a log line, wherever its format puts it.
fn address(line: &Value) -> String {
    let fields = [&line["address"], &line["fields"]["address"]];
    let found = fields.into_iter().find_map(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no address in {line}"))
        .to_owned()
}

/// Looks until there is something to see outside of the test.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    timeout(PATIENCE, looking)
        .await
        .unwrap_or_else(|_| panic!("it never happened that {what}"))
}

/// Whether this process holds the lease of a job that runs.
fn holds(process: &Running, job: &Job) -> bool {
    // Identities are host-kind-pid-random.
    let mark = format!("-{}-", process.id());
    let owner = job.lease_owner.as_deref().unwrap_or_default();
    job.state == JobState::Running && owner.contains(&mark)
}
