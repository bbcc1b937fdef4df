//! A bridge inside the test process: a fresh database, a queue in memory, a clock that stands still, the API on a free port.
//! Nothing moves by itself: a test says when relay, sweeper and cadences look.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use scheduler::Scheduler;
use serde_json::{Value, json};
use shared::budget::{Ledger, MemoryLedger};
use shared::clock::Clock as _;
use shared::config::{Layers, Settings};
use shared::queue::{Lane, MemoryBroker};
use shared::route::Routes;
use shared::server;
use shared::store::{Store, sources};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::ManualClock;
use crate::databases::{Flavour, TestDatabase, fresh};

/// Two sources, one instance, and a route of each sort. Nobody answers at the instance's address.
pub const PRESET: &str = r#"
[connections.main]
base_url = "https://main.example.com"
auth = "basic"
user = "bridge"
password = "fictional"
choices_hours = 0

[sources.idm]
callback_secret = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM="
callback_hosts = ["idm.example.com"]

[sources.hr]

[[routes]]
name = "access"
category = "application-access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"
description = "{{ justification or 'No justification given.' }}"

[[routes]]
name = "role"
category = "sap-role"
connection = "main"
table = "sc_task"
[routes.fields]
short_description = "Role {{ attributes.role }} in {{ attributes.system }}"
[routes.max_lengths]
short_description = 40

[[routes]]
name = "group"
category = "directory-group"
connection = "main"
table = "incident"
mastery = "source"
give_up_days = 10
[routes.fields]
short_description = "{{ item }}"

[[routes]]
name = "laptop"
category = "hardware"
connection = "main"
catalog_item = "04b7e94b4f7b4200086eeed18110c7fd"
[routes.fields]
comments_for_it = "{{ item }}"

[[routes]]
name = "retired"
category = "mainframe-access"
connection = "main"
enabled = false
table = "incident"
[routes.fields]
short_description = "{{ item }}"
"#;

/// A running bridge, gone when dropped.
pub struct Bridge {
    /// Its database.
    pub database: TestDatabase,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its queue.
    pub broker: Arc<MemoryBroker>,
    /// What its workers know of the instances' limits.
    pub ledger: Arc<dyn Ledger>,
    /// Its scheduler. Only the HTTP server and the tail of its feed run.
    pub scheduler: Arc<Scheduler>,
    http: Client,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Bridge {
    /// A bridge with the routes of [`PRESET`].
    pub async fn start(flavour: Flavour) -> Self {
        Self::with(flavour, PRESET).await
    }

    /// A bridge with settings in TOML above the defaults.
    pub async fn with(flavour: Flavour, preset: &str) -> Self {
        let database = fresh(flavour).await;
        let store = database.store.clone();
        Self::over(database, store, preset).await
    }

    /// A bridge that reaches a database its own way, such as over a line that can be cut.
    pub async fn over(database: TestDatabase, store: Store, preset: &str) -> Self {
        let (listener, url) = listen().await;
        let settings = Arc::new(settings(preset, &url));
        let clock = Arc::new(ManualClock::default());
        let broker = Arc::new(MemoryBroker::new());
        let stop = CancellationToken::new();
        let http = client();
        let scheduler = Arc::new(
            Scheduler::new(
                store,
                broker.clone(),
                routes(&settings),
                settings,
                clock.clone(),
                stop.clone(),
            )
            .with_http(http_for_alerts())
            .with_identity_provider(client()),
        );
        let tasks = TaskTracker::new();
        tasks.spawn(scheduler::tail::keep(Arc::clone(&scheduler)));
        let bridge = Self {
            database,
            clock,
            broker,
            ledger: Arc::new(MemoryLedger::default()),
            scheduler,
            http,
            stop,
            tasks,
        };
        bridge.answer(listener, &bridge.scheduler);
        bridge
    }

    /// Another scheduler on the same database and queue, as another process would be.
    pub async fn another_scheduler(&self) -> Arc<Scheduler> {
        self.scheduler_of(Arc::clone(&self.scheduler.settings))
            .await
    }

    /// The same with settings of its own.
    pub async fn scheduler_of(&self, settings: Arc<Settings>) -> Arc<Scheduler> {
        let scheduler = Scheduler::new(
            self.database.reopen().await,
            self.broker.clone(),
            routes(&settings),
            settings,
            self.clock.clone(),
            self.stop.clone(),
        );
        let scheduler = scheduler.with_http(http_for_alerts());
        Arc::new(scheduler.with_identity_provider(client()))
    }

    /// Lets another scheduler answer calls; where.
    pub async fn serve(&self, scheduler: &Arc<Scheduler>) -> String {
        let (listener, url) = listen().await;
        self.answer(listener, scheduler);
        url
    }

    fn answer(&self, listener: TcpListener, scheduler: &Arc<Scheduler>) {
        let settings = &scheduler.settings;
        let limits = settings.server.limits(settings.worker.drain());
        let router = scheduler::router(Arc::clone(scheduler));
        let serving = server::serve(listener, router, limits, self.stop.clone());
        self.tasks.spawn(serving);
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.scheduler.store
    }

    /// Where the API listens.
    pub fn url(&self) -> String {
        self.scheduler.settings.server.base_url()
    }

    /// A new token of a source.
    pub async fn token(&self, source: &str) -> String {
        let token = format!("tb_{}", Uuid::now_v7().simple());
        let hash = sources::hash(&token);
        let tx = self.store().begin().await.expect("the database is there");
        sources::create_token(&tx, source, "test", &hash, None, self.clock.now())
            .await
            .expect("a token is stored");
        tx.commit().await.expect("the token is committed");
        token
    }

    /// The API as a source sees it.
    pub async fn api(&self, source: &str) -> Api {
        Api {
            http: self.http.clone(),
            url: self.url(),
            token: Some(self.token(source).await),
        }
    }

    /// The API for somebody without a token.
    pub fn stranger(&self) -> Api {
        Api {
            http: self.http.clone(),
            url: self.url(),
            token: None,
        }
    }

    /// Lets the relay look until nothing moves any more.
    pub async fn settle(&self) {
        while scheduler::relay::tick(&self.scheduler)
            .await
            .expect("the relay works")
            > 0
        {}
    }

    /// Takes the doorbells that wait in a lane: the ids of their jobs.
    pub async fn bells(&self, lane: &str) -> Vec<Uuid> {
        use shared::queue::Broker as _;
        let lanes = [lane.parse::<Lane>().expect("the name of a lane")];
        let mut bells = Vec::new();
        loop {
            let popped = self
                .broker
                .pop(&lanes, 100, Duration::ZERO)
                .await
                .expect("a queue in memory answers");
            if popped.is_empty() {
                return bells;
            }
            bells.extend(
                popped
                    .into_iter()
                    .map(|popped| popped.bell.expect("a bell in memory reads").job),
            );
        }
    }

    /// Ends the HTTP server as a stop of the process does, and waits for it.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Calls the API.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    url: String,
    token: Option<String>,
}

impl Api {
    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same at another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// A call to be completed.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => call.bearer_auth(token),
            None => call,
        }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.call(Method::GET, path)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.call(Method::POST, path).json(body)).await
    }

    /// Puts JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.call(Method::PUT, path).json(body)).await
    }

    /// Deletes, with a body.
    pub async fn delete(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.call(Method::DELETE, path).json(body)).await
    }

    /// Sends a request of [`asked`] with this external id and category, which must be taken; its id.
    pub async fn create(&self, external_id: &str, category: &str) -> Uuid {
        let answer = self
            .post("/v1/requests", &asked(external_id, category))
            .await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.id()
    }
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body: JSON, or the text.
    pub body: Value,
}

impl Answer {
    /// Sends a call and reads its answer.
    pub async fn of(call: RequestBuilder) -> Self {
        let response = call.send().await.expect("the API answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer is whole");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status,
            headers,
            body,
        }
    }

    /// `id` of the body.
    pub fn id(&self) -> Uuid {
        self.body["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .unwrap_or_else(|| panic!("no id: {}", self.body))
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// The body of a fictional request that every route can serve.
pub fn asked(external_id: &str, category: &str) -> Value {
    json!({
        "external_id": external_id,
        "category": category,
        "item": "Payroll viewer",
        "requester": "sam.sample",
        "requested_for": "joon.park",
        "justification": "Covers accounts payable in March.",
        "attributes": {"role": "Z_FI_CLERK", "system": "P01"},
    })
}

/// On a free port; and where that is.
async fn listen() -> (TcpListener, String) {
    let listener = scheduler::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    (listener, format!("http://{address}"))
}

fn settings(preset: &str, url: &str) -> Settings {
    let layers = Layers {
        preset: Some(preset.to_owned()),
        overrides: vec![("server.public_url".to_owned(), url.to_owned())],
        ..Layers::default()
    };
    Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"))
}

fn routes(settings: &Settings) -> Arc<Routes> {
    Arc::new(
        settings
            .compile_routes()
            .unwrap_or_else(|problems| panic!("{problems}")),
    )
}

/// As a process has it for messages about alerts; the clock of the test is not that of its timeouts.
fn http_for_alerts() -> Client {
    shared::webhook::client(Duration::from_secs(10)).expect("a client without special wishes")
}

/// A client that keeps no connection open, so that a stopping server need not wait for it.
fn client() -> Client {
    // Fails when a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client without special wishes")
}
