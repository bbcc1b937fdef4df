//! What every job of a worker process shares.

use std::sync::Arc;

use anyhow::Context as _;
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::Store;

use crate::connections::Connections;
use crate::dispatch::{Claims, Closings};
use crate::lease::LeaseWatch;

/// What a [`Context`] is made from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The queue.
    pub broker: Arc<dyn Broker>,
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
    /// For callbacks: no redirects, no cookies.
    pub http: reqwest::Client,
    /// Unique for this start of the process, for logs.
    pub identity: String,
    /// Whom claims belong to, and how much of the lease is left.
    pub lease: LeaseWatch,
    pub(crate) claims: Claims,
    pub(crate) closings: Closings,
}

impl Context {
    /// Builds the clients of every connection. Nothing is called yet.
    pub fn new(parts: Parts) -> anyhow::Result<Arc<Self>> {
        let connections = Connections::new(&parts.settings, &parts.clock)?;
        let http = callback_client(&parts.settings)?;
        Ok(Arc::new(Self {
            lease: LeaseWatch::new(&parts.identity, parts.settings.worker.lease()),
            store: parts.store,
            broker: parts.broker,
            routes: parts.routes,
            settings: parts.settings,
            clock: parts.clock,
            connections,
            http,
            identity: parts.identity,
            claims: Claims::default(),
            closings: Closings::default(),
        }))
    }
}

fn callback_client(settings: &Settings) -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(settings.callbacks.timeout())
        .user_agent(concat!("ticketbridge/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("the HTTP client for callbacks cannot be built")
}
