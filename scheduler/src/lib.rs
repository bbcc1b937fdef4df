//! The scheduler: takes requests in, tells what became of them, and keeps jobs moving.
//!
//! It never calls ServiceNow; the destinations of alerts are the only ones it calls. What it decides it stores; jobs carry it out (ARCHITECTURE.md, "One way through the house").
//! Any number of schedulers run side by side: each decision is a compare-and-set in SQL, there is no leader.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::budget::{Budget, Standing};
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::{Store, operators};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::sync::CancellationToken;

pub mod alerts;
pub mod cadence;
pub mod gauges;
pub mod giveup;
pub mod minutes;
pub mod operations;
pub mod relay;
pub mod retention;
pub mod seals;
pub mod sweeper;
pub mod tail;
pub mod waits;

mod api;
mod console;
mod lanes;
mod oidc;
mod start;

/// No part of the interface: the fuzz targets read bodies as the API does.
#[doc(hidden)]
pub use api::bodies;
pub use api::{openapi, router};
pub use oidc::examine as examine_provider;
pub use start::{BindError, bind, start};

use lanes::Lanes;
use oidc::Provider;
use tail::Tail;
use waits::Waits;

/// What every part of a scheduler works with.
pub struct Scheduler {
    /// The truth.
    pub store: Store,
    /// Carries doorbells to the workers.
    pub broker: Arc<dyn Broker>,
    /// Which requests become which tickets.
    pub routes: Arc<Routes>,
    /// Every setting.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: SharedClock,
    /// Wakes the relay: somebody has stored a job that is due.
    pub relay_nudge: Arc<Notify>,
    /// Wakes the tail of the feed: somebody in this process has stored an event.
    pub feed_nudge: Arc<Notify>,
    /// Ends event streams when the process stops.
    pub stop: CancellationToken,
    lanes: Lanes,
    tail: Tail,
    /// A permit for each event stream.
    streams: Arc<Semaphore>,
    waits: Waits,
    /// What is left of the calls of each connection, when it is known.
    budget: Option<Arc<Budget>>,
    /// For alerts: no redirects, no cookies.
    http: Option<reqwest::Client>,
    /// Passwords are tried one at a time.
    logins: Mutex<()>,
    /// Through whom operators sign in, when that is configured.
    oidc: Option<Provider>,
}

impl Scheduler {
    /// A scheduler that ends its streams when `stop` is cancelled. Nothing runs before [`start`].
    pub fn new(
        store: Store,
        broker: Arc<dyn Broker>,
        routes: Arc<Routes>,
        settings: Arc<Settings>,
        clock: SharedClock,
        stop: CancellationToken,
    ) -> Self {
        let lanes = Lanes::new(settings.queue.window);
        let streams = Arc::new(Semaphore::new(settings.server.max_streams));
        let (relay_nudge, feed_nudge) = (Arc::default(), Arc::default());
        Self {
            store,
            broker,
            routes,
            settings,
            clock,
            relay_nudge,
            feed_nudge,
            stop,
            lanes,
            tail: Tail::default(),
            streams,
            waits: Waits::default(),
            budget: None,
            http: None,
            logins: Mutex::default(),
            oidc: None,
        }
    }

    /// Lets it see the budgets that the workers share.
    #[must_use]
    pub fn with_budget(self, budget: Arc<Budget>) -> Self {
        Self {
            budget: Some(budget),
            ..self
        }
    }

    /// Lets it post messages about alerts ([`shared::webhook::client`]).
    #[must_use]
    pub fn with_http(self, http: reqwest::Client) -> Self {
        Self {
            http: Some(http),
            ..self
        }
    }

    /// Lets it ask the identity provider of the settings; without one this changes nothing. The client must follow no redirects.
    #[must_use]
    pub fn with_identity_provider(self, http: reqwest::Client) -> Self {
        let is_on = self.settings.console.oidc.is_on();
        Self {
            oidc: is_on.then(|| Provider::new(http)),
            ..self
        }
    }

    /// Asks what the workers know of the budgets.
    pub async fn look_at_budgets(&self) {
        if let Some(budget) = &self.budget {
            budget.look().await;
        }
    }

    /// Removes sessions, sign-ins and refused log-ins that no longer count.
    pub async fn tidy_logins(&self) -> anyhow::Result<()> {
        let (conn, now) = (self.store.conn(), self.now());
        operators::sweep(conn, now).await?;
        operators::sweep_sign_ins(conn, now).await?;
        operators::forget_refusals(conn, None, now).await?;
        Ok(())
    }

    /// What is known of the budget of each connection.
    fn standings(&self) -> Vec<Standing> {
        self.budget
            .as_ref()
            .map(|it| it.standings())
            .unwrap_or_default()
    }

    /// How many calls a connection has left at this moment; without one, those of the connection that has fewest. 0 while it is silent,
    /// `None` when that is not known.
    fn calls_left(&self, connection: Option<&str>) -> Option<u64> {
        let left = |standing: Standing| {
            if standing.throttled.is_some() {
                return Some(0);
            }
            u64::try_from(standing.window?.left.max(0)).ok()
        };
        let is_meant = |it: &Standing| connection.is_none_or(|name| it.connection == name);
        let standings = self.standings().into_iter();
        standings.filter(is_meant).filter_map(left).min()
    }

    /// Whether browsers reach it by TLS.
    fn is_secure(&self) -> bool {
        self.settings.server.base_url().starts_with("https://")
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
