//! The scheduler: takes requests in, tells what became of them, and keeps jobs moving.
//!
//! It never calls ServiceNow. What it decides it stores; jobs carry it out (ARCHITECTURE.md, "One way through the house").
//! Any number of schedulers run side by side: each decision is a compare-and-set in SQL, there is no leader.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::Store;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

pub mod cadence;
pub mod gauges;
pub mod giveup;
pub mod relay;
pub mod retention;
pub mod sweeper;
pub mod tail;
pub mod waits;

mod api;
mod lanes;
mod start;

/// No part of the interface: the fuzz targets read bodies as the API does.
#[doc(hidden)]
pub use api::bodies;
pub use api::{openapi, router};
pub use start::{BindError, bind, start};

use lanes::Lanes;
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
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
