//! What outlives a single run, so that a run costs little: a simulated instance, an identity system that takes callbacks, the
//! settings, and a migrated database to be copied. Runs are told apart by the name of their bridge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use shared::clock::Clock as _;
use shared::config::{Layers, Settings};
use shared::route::Routes;
use shared::store::sources;
use simulator::{Clock, Knobs, Options, Simulator};

use crate::clock::ManualClock;
use crate::databases::{Flavour, Template, TestDatabase};
use crate::receiver::Receiver;

/// Categories that are asked for; each is a route.
pub const CATEGORIES: [&str; 6] = [
    "access",
    "owned",
    "task",
    "owned-task",
    "order",
    "owned-change",
];

/// The tables of those routes.
pub const TABLES: [&str; 4] = ["incident", "sc_task", "sc_req_item", "change_request"];

/// The token of the source `idm`.
pub const TOKEN: &str = "tb_fictional";

/// Runs one after the other are played on one stage.
pub struct Stage {
    /// The instance.
    pub main: Simulator,
    /// The identity system.
    pub receiver: Receiver,
    /// The clock of the bridge; the instance has its own, and they are moved together.
    pub clock: Arc<ManualClock>,
    settings: Settings,
    routes: Arc<Routes>,
    template: Template,
    runs: AtomicU64,
}

impl Stage {
    /// Builds it.
    pub async fn build(flavour: Flavour) -> Self {
        let clock = Arc::new(ManualClock::default());
        let options = Options {
            clock: Clock::manual(clock.now()),
            ..Options::for_tests()
        };
        let main = Simulator::start(options).await.expect("an instance starts");
        let receiver = Receiver::start().await;
        let settings = settings(&main, &receiver);
        let routes = settings
            .compile_routes()
            .unwrap_or_else(|problems| panic!("{problems}"));
        let template = Template::make(flavour, async |store| {
            let hash = sources::hash(TOKEN);
            sources::create_token(store.conn(), "idm", "chaos", &hash, None, clock.now())
                .await
                .expect("a token is stored");
        })
        .await;
        Self {
            main,
            receiver,
            clock,
            settings,
            routes: Arc::new(routes),
            template,
            runs: AtomicU64::default(),
        }
    }

    /// What the next run is played with: a database of its own, and settings under a name of its own.
    pub async fn props(&self) -> (TestDatabase, Arc<Settings>, Arc<Routes>) {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let mut settings = self.settings.clone();
        settings.bridge_name = format!("Bridge {run}");
        (
            self.template.copy().await,
            Arc::new(settings),
            Arc::clone(&self.routes),
        )
    }

    /// Clears away what a run has left: faults, plans, logs, and after some runs all rows, which make every query slower.
    pub fn clear(&self) {
        if self.runs.load(Ordering::Relaxed).is_multiple_of(25) {
            self.main.reset().expect("the seed fits");
        }
        self.main.clear_faults();
        self.main.clear_log();
        self.main.set_knobs(|knobs| *knobs = Knobs::default());
        self.receiver.clear();
    }

    /// Moves all clocks.
    pub fn advance(&self, by: TimeDelta) {
        let by = by.to_std().unwrap_or_default();
        self.clock.advance(by);
        self.main.advance(by);
    }
}

fn settings(main: &Simulator, receiver: &Receiver) -> Settings {
    let item = main
        .row("sc_cat_item", "name=Application access")
        .expect("the seed has the item");
    let route = |name: &str, rest: &str| {
        format!(
            "[[routes]]\nname = \"{name}\"\nsource = \"idm\"\ncategory = \"{name}\"\nconnection = \"main\"\ngive_up_days = 10\n{rest}\n"
        )
    };
    let on = |name: &str, table: &str, mastery: &str| {
        route(
            name,
            &format!(
                "table = \"{table}\"\nmastery = \"{mastery}\"\n[routes.fields]\n\
                 short_description = \"{{{{ item }}}} for {{{{ requested_for }}}}\""
            ),
        )
    };
    let order = format!(
        "catalog_item = \"{}\"\n[routes.fields]\naccess_role = \"{{{{ attributes.role }}}}\"\n\
         justification = \"{{{{ justification }}}}\"\nbridge_ref = \"{{{{ correlation_id }}}}\"\n\
         [routes.person]\nfield = \"requested_for\"\nmatch = [\"user_name\"]",
        item["sys_id"]
    );
    let preset = [
        format!(
            "[connections.main]\nbase_url = \"{}\"\nauth = \"client_credentials\"\nclient_id = \"ticketbridge-demo\"\n\
             client_secret = \"ticketbridge-demo-secret\"\nchoices_hours = 0\n",
            main.base_url()
        ),
        format!(
            "[sources.idm]\ncallback_url = \"{}\"\ncallback_secret = \"whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM=\"\nallow_http = true\n",
            receiver.url()
        ),
        on("access", "incident", "servicenow"),
        on("owned", "incident", "source"),
        on("task", "sc_task", "servicenow"),
        on("owned-task", "sc_task", "source"),
        on("owned-change", "change_request", "source"),
        route("order", &order),
    ];
    let layers = Layers {
        preset: Some(preset.join("\n")),
        ..Layers::default()
    };
    Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"))
}
