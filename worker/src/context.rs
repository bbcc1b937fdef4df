//! What every job of a worker process shares.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use shared::budget::{Budget, Ledger, Terms};
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::Store;
use shared::webhook;

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
            budget,
            clock: Arc::clone(&parts.clock),
            lease,
            margin: parts.settings.worker.write_margin(),
        };
        let connections = Connections::new(&parts.settings, &house)?;
        let http = webhook::client(parts.settings.callbacks.timeout())
            .context("the HTTP client for callbacks cannot be built")?;
        Ok(Arc::new(Self {
            lease: house.lease,
            store: parts.store,
            broker: parts.broker,
            routes: parts.routes,
            settings: parts.settings,
            clock: parts.clock,
            connections,
            budget: house.budget,
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

impl Context {
    /// What stands before each call to an instance.
    pub(crate) fn gatehouse(&self) -> Gatehouse {
        Gatehouse {
            budget: Arc::clone(&self.budget),
            clock: Arc::clone(&self.clock),
            lease: Arc::clone(&self.lease),
            margin: self.settings.worker.write_margin(),
        }
    }
}

fn budget(parts: &Parts) -> Budget {
    let connections = parts.settings.connections.iter();
    let terms = connections.map(|(name, settings)| (name.clone(), Terms::from(settings)));
    let lease = parts.settings.worker.lease();
    Budget::new(&parts.ledger, &parts.clock, &parts.identity, lease, terms)
}
