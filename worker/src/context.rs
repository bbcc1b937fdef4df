//! What every job of a worker process shares.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use shared::budget::{Budget, Ledger, Terms};
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::Store;

use crate::connections::Connections;
use crate::decisions::Maps;
use crate::dispatch::{Claims, Closings, Doubtful, Suspects};
use crate::jobs::Loads;
use crate::lease::LeaseWatch;
use crate::silences::Silences;
use crate::throttle::Gatehouse;

/// What a [`Context`] is made from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The queue.
    pub broker: Arc<dyn Broker>,
    /// What is known of the limits of the instances, shared by all workers.
    pub ledger: Arc<dyn Ledger>,
    /// The routes of the configuration, compiled.
    pub routes: Arc<Routes>,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The clock.
    pub clock: SharedClock,
    /// Unique for each start of a process: the owner of its leases.
    pub identity: String,
}

/// What every job of a worker process shares.
pub struct Context {
    /// The database.
    pub store: Store,
    /// The queue, for jobs that follow.
    pub broker: Arc<dyn Broker>,
    /// The routes.
    pub routes: Arc<Routes>,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The clock.
    pub clock: SharedClock,
    /// The ServiceNow instances, by name.
    pub connections: Connections,
    /// What every call to one of them asks first.
    pub budget: Arc<Budget>,
    /// For callbacks: no redirects, no cookies.
    pub http: reqwest::Client,
    /// Unique for this start of the process, for logs.
    pub identity: String,
    /// Whom claims belong to, and how much of the lease is left.
    pub lease: Arc<LeaseWatch>,
    pub(crate) claims: Claims,
    pub(crate) doubtful: Mutex<Vec<Doubtful>>,
    pub(crate) loads: Loads,
    pub(crate) closings: Closings,
    pub(crate) suspects: Suspects,
    pub(crate) silences: Silences,
    pub(crate) maps: Maps,
}

impl Context {
    /// Builds the clients of every connection. Nothing is called yet.
    pub fn new(parts: Parts) -> anyhow::Result<Arc<Self>> {
        let lease = Arc::new(LeaseWatch::new(
            &parts.identity,
            parts.settings.worker.lease(),
            &parts.clock,
        ));
        let budget = Arc::new(budget(&parts));
        let house = Gatehouse {
            budget: Arc::clone(&budget),
            clock: Arc::clone(&parts.clock),
            lease: Arc::clone(&lease),
            margin: parts.settings.worker.write_margin(),
        };
        let connections = Connections::new(&parts.settings, &house)?;
        let http = callback_client(&parts.settings)?;
        Ok(Arc::new(Self {
            lease,
            store: parts.store,
            broker: parts.broker,
            routes: parts.routes,
            settings: parts.settings,
            clock: parts.clock,
            connections,
            budget,
            http,
            identity: parts.identity,
            claims: Claims::default(),
            doubtful: Mutex::default(),
            loads: Loads::default(),
            closings: Closings::default(),
            suspects: Suspects::default(),
            silences: Silences::default(),
            maps: Maps::default(),
        }))
    }
}

fn budget(parts: &Parts) -> Budget {
    let connections = parts.settings.connections.iter();
    let terms = connections.map(|(name, settings)| (name.clone(), Terms::from(settings)));
    let lease = parts.settings.worker.lease();
    Budget::new(&parts.ledger, &parts.clock, &parts.identity, lease, terms)
}

fn callback_client(settings: &Settings) -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(settings.callbacks.timeout())
        .user_agent(concat!("ticketbridge/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("the HTTP client for callbacks cannot be built")
}
