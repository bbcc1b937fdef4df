//! A whole bridge inside the test process: the harness of [`crate::bridge`] with a worker, two simulated instances and an identity
//! system that takes callbacks. All clocks stand still until a test moves them; nothing runs by itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::alert::AlertName;
use shared::budget::Ledger;
use shared::clock::Clock as _;
use shared::config::{Layers, Settings};
use shared::job::{ChoicesCheck, DriftCheck, JobState, NewJob, Payload, StatusRead};
use shared::queue::{Broker as _, Doorbell, Lane};
use shared::request::Request;
use shared::store::alerts::{self, Alert};
use shared::store::attempts::{self, Attempt};
use shared::store::audit::{self, AuditRow};
use shared::store::choice_lists::{self, Reading};
use shared::store::circuits::{self, Circuit};
use shared::store::jobs::Job;
use shared::store::{Store, jobs, requests, tickets};
use shared::ticket::Ticket;
use simulator::{AgentAction, CallFilter, Clock, Fault, FieldAcl, Options, RowMap, Simulator};
use uuid::Uuid;

use crate::bridge::{Answer, Api, Bridge, asked};
use crate::databases::{Flavour, TestDatabase, fresh};
use crate::receiver::Receiver;

/// Every queue.
const QUEUES: [&str; 7] = [
    "update-status@main",
    "update-status@other",
    "create-ticket@main",
    "create-ticket@other",
    "ticket-status@main",
    "ticket-status@other",
    "callback",
];

/// Rounds after which something runs in circles.
const ROUNDS: usize = 400;

/// A running bridge, gone when dropped.
pub struct Running {
    /// Store, queue, clock, scheduler and API.
    pub bridge: Bridge,
    /// The instance of connection `main`.
    pub main: Simulator,
    /// The instance of connection `other`.
    pub other: Simulator,
    /// The identity system `idm`.
    pub receiver: Receiver,
    /// A worker process.
    pub worker: Arc<worker::Context>,
    /// The API as `idm` sees it.
    pub idm: Api,
    preset: String,
}

impl Running {
    /// With the routes of the preset.
    pub async fn start(flavour: Flavour) -> Self {
        Self::with(flavour, "").await
    }

    /// With pages of so many rows when changes are read.
    pub async fn paged(flavour: Flavour, rows: usize) -> Self {
        Self::built(flavour, &format!("page_size = {rows}\n"), "").await
    }

    /// With more settings of the connection `main`.
    pub async fn tuned(flavour: Flavour, main_settings: &str) -> Self {
        Self::built(flavour, &format!("{main_settings}\n"), "").await
    }

    /// With more TOML behind the preset.
    pub async fn with(flavour: Flavour, more: &str) -> Self {
        Self::built(flavour, "", more).await
    }

    /// On a database that holds something already, over this pool, with more TOML behind the preset.
    pub async fn over(database: TestDatabase, store: Store, more: &str) -> Self {
        Self::on(database, store, "", more).await
    }

    /// With more settings of the connection `main`, and more TOML behind the preset.
    pub async fn built(flavour: Flavour, main_settings: &str, more: &str) -> Self {
        let database = fresh(flavour).await;
        let store = database.store.clone();
        Self::on(database, store, main_settings, more).await
    }

    async fn on(database: TestDatabase, store: Store, main_settings: &str, more: &str) -> Self {
        let start = crate::clock::ManualClock::default().now();
        let instance = |seed| Options {
            seed,
            clock: Clock::manual(start),
            ..Options::for_tests()
        };
        let main = Simulator::start(instance(1))
            .await
            .expect("an instance starts");
        let other = Simulator::start(instance(2))
            .await
            .expect("an instance starts");
        let receiver = Receiver::start().await;
        let preset = format!(
            "{}\n{more}",
            preset(&main, &other, &receiver, main_settings)
        );
        let bridge = Bridge::over(database, store, &preset).await;
        let worker = worker(&bridge, &bridge.ledger, "worker-1").await;
        let idm = bridge.api("idm").await;
        Self {
            bridge,
            main,
            other,
            receiver,
            worker,
            idm,
            preset,
        }
    }

    /// Another worker process on the same database and queue.
    pub async fn another_worker(&self) -> Arc<worker::Context> {
        worker(&self.bridge, &self.bridge.ledger, "worker-2").await
    }

    /// Another worker process with what it knows of the instances' limits in a place of its own.
    pub async fn worker_at(&self, ledger: Arc<dyn Ledger>, identity: &str) -> Arc<worker::Context> {
        worker(&self.bridge, &ledger, identity).await
    }

    /// A worker process of another name that nobody knows yet.
    pub fn fresh_worker(&self, identity: &str) -> Arc<worker::Context> {
        let scheduler = &self.bridge.scheduler;
        let settings = Arc::clone(&scheduler.settings);
        context(&self.bridge, &self.bridge.ledger, settings, identity)
    }

    /// A worker process whose settings have `to` in the place of `from`.
    pub async fn worker_with(&self, from: &str, to: &str) -> Arc<worker::Context> {
        let context = self.fresh_worker_with(from, to);
        worker::heartbeat::register(&context)
            .await
            .expect("the database is there");
        context
    }

    /// The same, while nobody knows it yet.
    pub fn fresh_worker_with(&self, from: &str, to: &str) -> Arc<worker::Context> {
        assert!(self.preset.contains(from), "the preset holds {from}");
        let layers = Layers {
            preset: Some(self.preset.replacen(from, to, 1)),
            ..Layers::default()
        };
        let settings = Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
        context(
            &self.bridge,
            &self.bridge.ledger,
            Arc::new(settings),
            "worker-changed",
        )
    }

    /// Another scheduler whose settings have `to` in the place of `from`.
    pub async fn scheduler_with(&self, from: &str, to: &str) -> Arc<scheduler::Scheduler> {
        assert!(self.preset.contains(from), "the preset holds {from}");
        let layers = Layers {
            preset: Some(self.preset.replacen(from, to, 1)),
            ..Layers::default()
        };
        let settings = Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
        self.bridge.scheduler_of(Arc::new(settings)).await
    }

    /// One look at the alerts, and whatever is to be told of it; how many changes.
    pub async fn look_at_alerts(&self) -> usize {
        let scheduler = &self.bridge.scheduler;
        let changes = scheduler::alerts::tick(scheduler)
            .await
            .expect("the database is there");
        scheduler::alerts::deliver(scheduler)
            .await
            .expect("the database is there");
        changes
    }

    /// Where an alert stands.
    pub async fn alert(&self, name: AlertName) -> Alert {
        let all = alerts::all(self.bridge.store().conn()).await;
        all.expect("the database is there")
            .into_iter()
            .find(|it| it.name == name)
            .expect("it was looked at")
    }

    /// Moves all clocks.
    pub fn advance(&self, by: Duration) {
        self.bridge.clock.advance(by);
        self.main.advance(by);
        self.other.advance(by);
    }

    /// Rings and runs what is due until nothing moves any more.
    pub async fn settle(&self) {
        for _ in 0..ROUNDS {
            worker::heartbeat::tick(&self.worker)
                .await
                .expect("the database is there");
            self.bridge.settle().await;
            let bells = self.bells().await;
            if bells.is_empty() {
                return;
            }
            for bell in bells {
                worker::ring(&self.worker, bell).await;
            }
        }
        panic!("the bridge does not come to rest");
    }

    /// Lets `time` pass in steps of `step`, with everything running.
    pub async fn pass(&self, time: Duration, step: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let now = step.min(left);
            self.advance(now);
            self.look().await;
            left -= now;
        }
    }

    /// What schedulers do on their own: cadences, sweeper; then everything that follows.
    pub async fn look(&self) {
        scheduler::sweeper::tick(&self.bridge.scheduler)
            .await
            .expect("the sweeper works");
        scheduler::cadence::tick(&self.bridge.scheduler)
            .await
            .expect("the cadences work");
        self.settle().await;
    }

    /// Reads the changes of a table now, whatever its cadence says.
    pub async fn poll(&self, table: &str) {
        let (connection, table) = ("main".to_owned(), table.to_owned());
        let key = format!("changes:main:{table}");
        self.read_now(
            key,
            StatusRead::Changes {
                connection,
                table,
                after: None,
            },
        )
        .await;
    }

    /// Reads all open tickets of a table now.
    pub async fn reconcile(&self, table: &str) {
        let (connection, table) = ("main".to_owned(), table.to_owned());
        let key = format!("reconcile:main:{table}");
        self.read_now(
            key,
            StatusRead::Reconcile {
                connection,
                table,
                after: None,
            },
        )
        .await;
    }

    /// Compares a table of `main` with the instance's count now, a second after whatever was before: reports are told apart by the time
    /// they began.
    pub async fn compare(&self, table: &str) {
        self.advance(Duration::from_secs(1));
        let check = DriftCheck {
            connection: "main".to_owned(),
            table: table.to_owned(),
            rest: None,
        };
        self.run_now(format!("drift:main:{table}"), Payload::CheckDrift(check))
            .await;
    }

    /// Reads the choice lists of a table of `main` now; what is kept of the last reading, should this one have none.
    pub async fn read_choices(&self, table: &str) -> Option<Reading> {
        let check = ChoicesCheck {
            connection: "main".to_owned(),
            table: table.to_owned(),
        };
        self.run_now(
            format!("choices:main:{table}"),
            Payload::CheckChoices(check),
        )
        .await;
        choice_lists::of(self.bridge.store().conn(), "main", table)
            .await
            .expect("the database is there")
    }

    /// Lets every account of `main` read all of its choice lists.
    pub fn show_choices(&self) {
        self.main
            .set_knobs(|knobs| knobs.field_acl.retain(|it| it.table != "sys_choice"));
    }

    /// Adds a choice to a list of `main`.
    pub fn add_choice(&self, table: &str, column: &str, value: &str, label: &str) {
        let row = [
            ("name", table),
            ("element", column),
            ("value", value),
            ("label", label),
        ];
        self.main
            .insert(None, "sys_choice", &row)
            .expect("a choice can be added");
    }

    /// Makes a choice of `main` one that nobody can choose any more.
    pub fn end_choice(&self, table: &str, column: &str, value: &str) {
        let query = format!("name={table}^element={column}^value={value}");
        let row = self.main.row("sys_choice", &query).expect("it is there");
        self.main
            .update(None, "sys_choice", &row["sys_id"], &[("inactive", "true")])
            .expect("a choice can be ended");
    }

    async fn read_now(&self, key: String, read: StatusRead) {
        self.run_now(key, Payload::GetTicketStatus(read)).await;
    }

    async fn run_now(&self, key: String, payload: Payload) {
        let now = self.bridge.clock.now();
        let job = NewJob {
            payload,
            connection: Some("main".to_owned()),
            request_id: None,
            priority: 1,
            due_at: now,
            dedup_key: Some(key),
            traceparent: None,
        };
        let queued = jobs::insert(self.bridge.store().conn(), &job, now).await;
        let queued = queued.expect("the database is there");
        shared::queue::ring(&*self.bridge.broker, queued.as_slice()).await;
        self.settle().await;
    }

    /// The bells that wait, of all lanes.
    pub async fn bells(&self) -> Vec<Doorbell> {
        let mut bells = Vec::new();
        for queue in QUEUES {
            let lane: Lane = queue.parse().expect("the name of a lane");
            loop {
                let popped = self
                    .bridge
                    .broker
                    .pop(std::slice::from_ref(&lane), 100, Duration::ZERO)
                    .await;
                let popped = popped.expect("a queue in memory answers");
                if popped.is_empty() {
                    break;
                }
                bells.extend(
                    popped
                        .into_iter()
                        .map(|it| it.bell.expect("a bell in memory reads")),
                );
            }
        }
        bells
    }

    /// Takes a request in, without running anything.
    pub async fn ask(&self, external_id: &str, category: &str) -> Uuid {
        self.idm.create(external_id, category).await
    }

    /// The same for a certain person.
    pub async fn ask_for(&self, external_id: &str, category: &str, person: &str) -> Uuid {
        let mut body = asked(external_id, category);
        body["requested_for"] = person.into();
        let answer = self.idm.post("/v1/requests", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.id()
    }

    /// Takes a request in and lets everything happen that is due.
    pub async fn opened(&self, external_id: &str, category: &str) -> Uuid {
        let id = self.ask(external_id, category).await;
        self.settle().await;
        id
    }

    /// The source says something about a request.
    pub async fn say(&self, id: Uuid, status: &str, more: Value) -> Answer {
        let mut body = json!({ "status": status });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let answer = self
            .idm
            .post(&format!("/v1/requests/{id}/status"), &body)
            .await;
        assert!(answer.status < 300, "{} {}", answer.status, answer.body);
        answer
    }

    /// Updates that are dead, because the account may not write the state of tickets; it may from then on. Their ids, oldest first.
    pub async fn dead_updates(&self, count: usize) -> Vec<Uuid> {
        self.main.set_knobs(|knobs| {
            knobs.field_acl.push(FieldAcl {
                table: "incident".into(),
                field: "state".into(),
                hidden: false,
                read_only: true,
                unless_role: None,
            });
        });
        let mut requests = Vec::new();
        for number in 0..count {
            requests.push(self.ask(&format!("U-{number}"), "owned").await);
        }
        self.settle().await;
        for id in &requests {
            self.say(*id, "in_progress", json!({})).await;
            // Ids begin with their time, and are told in their order.
            self.advance(Duration::from_millis(5));
        }
        self.settle().await;
        // What a test does next is later than their ends.
        self.advance(Duration::from_millis(5));
        self.main.set_knobs(|knobs| {
            knobs.field_acl.pop();
        });
        let mut dead = Vec::new();
        for id in requests {
            let job = self.job(id, "update_servicenow_status.v1").await;
            assert_eq!(job.state, JobState::Dead, "{job:?}");
            dead.push(job.id);
        }
        dead
    }

    /// A request as stored.
    pub async fn request(&self, id: Uuid) -> Request {
        let found = requests::find(self.bridge.store().conn(), id).await;
        found
            .expect("the database is there")
            .expect("the request is there")
    }

    /// Its ticket as stored.
    pub async fn ticket(&self, id: Uuid) -> Ticket {
        let found = tickets::of_request(self.bridge.store().conn(), id).await;
        found
            .expect("the database is there")
            .expect("the ticket is there")
    }

    /// Its number.
    pub async fn number(&self, id: Uuid) -> String {
        self.ticket(id)
            .await
            .number
            .expect("the ticket has a number")
    }

    /// Its jobs.
    pub async fn jobs(&self, id: Uuid) -> Vec<Job> {
        jobs::of_request(self.bridge.store().conn(), id)
            .await
            .expect("the database is there")
    }

    /// Its newest job of a kind.
    pub async fn job(&self, id: Uuid, kind: &str) -> Job {
        let jobs = self.jobs(id).await;
        jobs.into_iter()
            .rfind(|job| job.kind == kind)
            .unwrap_or_else(|| panic!("no {kind} job"))
    }

    /// Its live jobs.
    pub async fn live(&self, id: Uuid) -> Vec<Job> {
        let ended = |job: &Job| {
            matches!(
                job.state,
                JobState::Done | JobState::Dead | JobState::Cancelled
            )
        };
        self.jobs(id)
            .await
            .into_iter()
            .filter(|job| !ended(job))
            .collect()
    }

    /// The runs of its jobs.
    pub async fn attempts(&self, id: Uuid) -> Vec<Attempt> {
        attempts::of_request(self.bridge.store().conn(), id)
            .await
            .expect("the database is there")
    }

    /// Its audit trail.
    pub async fn audit(&self, id: Uuid) -> Vec<AuditRow> {
        audit::of_request(self.bridge.store().conn(), id)
            .await
            .expect("the database is there")
    }

    /// The open circuits.
    pub async fn circuits(&self) -> Vec<Circuit> {
        circuits::all(self.bridge.store().conn())
            .await
            .expect("the database is there")
    }

    /// Everything `main` holds of ours in a table.
    pub fn records(&self, table: &str) -> Vec<RowMap> {
        self.main.rows(table, "correlation_display=TicketBridge")
    }

    /// How often `main` was called so.
    pub fn calls(&self, kind: &str, table: &str) -> usize {
        self.main.count(&CallFilter::kind_on(kind, table))
    }

    /// Somebody works on a ticket of `main`.
    pub fn agent(&self, ticket: &str, action: &AgentAction) {
        self.main
            .agent("nina.agent", ticket, action)
            .expect("the agent may do that");
    }

    /// The next `times` calls of `method` on `table` at `main` meet these knobs.
    pub fn fault(&self, method: &str, table: &str, times: u32, set: &Value) {
        let fault = Fault {
            method: Some(method.to_owned()),
            table: Some(table.to_owned()),
            times: Some(times),
            set: set.as_object().expect("knobs by name").clone(),
            ..Fault::default()
        };
        self.main.add_fault(fault).expect("these knobs exist");
    }
}

/// A worker process that is known to the others.
async fn worker(bridge: &Bridge, ledger: &Arc<dyn Ledger>, identity: &str) -> Arc<worker::Context> {
    let settings = Arc::clone(&bridge.scheduler.settings);
    let context = context(bridge, ledger, settings, identity);
    worker::heartbeat::register(&context)
        .await
        .expect("the database is there");
    context
}

fn context(
    bridge: &Bridge,
    ledger: &Arc<dyn Ledger>,
    settings: Arc<Settings>,
    identity: &str,
) -> Arc<worker::Context> {
    worker::Context::new(worker::Parts {
        store: bridge.scheduler.store.clone(),
        broker: bridge.broker.clone(),
        ledger: Arc::clone(ledger),
        routes: Arc::new(
            settings
                .compile_routes()
                .unwrap_or_else(|problems| panic!("{problems}")),
        ),
        settings,
        clock: bridge.clock.clone(),
        identity: identity.to_owned(),
    })
    .expect("the preset fits")
}

/// A route of each sort, on two instances.
fn preset(main: &Simulator, other: &Simulator, receiver: &Receiver, main_settings: &str) -> String {
    let item = main
        .row("sc_cat_item", "name=Application access")
        .expect("the seed has the item");
    let connection = |name: &str, url: &str| {
        format!(
            "[connections.{name}]\nbase_url = \"{url}\"\nauth = \"client_credentials\"\nclient_id = \"ticketbridge-demo\"\n\
             client_secret = \"ticketbridge-demo-secret\"\n"
        )
    };
    let route = |name: &str, rest: &str| {
        format!(
            "[[routes]]\nname = \"{name}\"\nsource = \"idm\"\ncategory = \"{name}\"\n{rest}\n[routes.fields]\n\
             short_description = \"{{{{ item }}}} for {{{{ requested_for }}}}\"\n"
        )
    };
    let on = |table: &str| format!("connection = \"main\"\ntable = \"{table}\"");
    // Compared only where a test asks for it: a call more would be in the way of those that count.
    let quiet = "choices_hours = 0\n";
    let own = if main_settings.contains("choices_hours") {
        ""
    } else {
        quiet
    };
    [
        format!("{}{own}{main_settings}", connection("main", &main.base_url())),
        format!("{}{quiet}", connection("other", &other.base_url())),
        format!(
            "[sources.idm]\ncallback_url = \"{}\"\ncallback_secret = \"whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM=\"\nallow_http = true\n",
            receiver.url()
        ),
        route("access", &on("incident")),
        route("owned", &format!("{}\nmastery = \"source\"", on("incident"))),
        route("task", &on("sc_task")),
        route("owned-task", &format!("{}\nmastery = \"source\"", on("sc_task"))),
        route("change", &on("change_request")),
        route("owned-change", &format!("{}\nmastery = \"source\"", on("change_request"))),
        route("problem", &on("problem")),
        route("missing", &on("u_no_such_table")),
        route("elsewhere", "connection = \"other\"\ntable = \"incident\""),
        format!(
            "{}[routes.person]\nfield = \"caller_id\"\nmatch = [\"user_name\", \"email\"]\n",
            route("personal", &on("incident"))
        ),
        format!(
            "[[routes]]\nname = \"order\"\nsource = \"idm\"\ncategory = \"order\"\nconnection = \"main\"\ncatalog_item = \"{}\"\n\
             [routes.fields]\naccess_role = \"{{{{ attributes.role }}}}\"\njustification = \"{{{{ justification }}}}\"\n\
             bridge_ref = \"{{{{ correlation_id }}}}\"\n[routes.person]\nfield = \"requested_for\"\nmatch = [\"user_name\", \"email\"]\n",
            item["sys_id"]
        ),
    ]
    .join("\n")
}
