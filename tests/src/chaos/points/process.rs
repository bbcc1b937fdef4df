//! The processes of the bridge under test: each can die, and another is started in its place.

use std::sync::Arc;

use axum::Router;
use scheduler::Scheduler;
use shared::budget::Ledger;
use shared::clock::SharedClock;
use shared::config::Settings;
use shared::crash::Mortal;
use shared::queue::MemoryBroker;
use shared::route::Routes;
use shared::store::Store;
use tokio_util::sync::CancellationToken;

/// What all processes of a run share: what survives them.
pub struct Ground {
    /// The database.
    pub store: Store,
    /// The queue; it stands in for Redis, which lives elsewhere.
    pub broker: Arc<MemoryBroker>,
    /// What is known of the instance's limits; like the queue it stands in for Redis.
    pub ledger: Arc<dyn Ledger>,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The routes.
    pub routes: Arc<Routes>,
    /// The clock.
    pub clock: SharedClock,
}

/// Which kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Intake, relay, sweeper, cadences.
    Scheduler,
    /// Runs jobs.
    Worker,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Scheduler, Self::Worker];

    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Worker => "worker",
        }
    }
}

/// A scheduler. Its API is called without a network: a call that is cut is a future that is dropped.
pub struct SchedulerProcess {
    /// Its parts.
    pub scheduler: Arc<Scheduler>,
    /// Its API.
    pub router: Router,
    /// Its life.
    pub life: Mortal,
}

/// A worker.
pub struct WorkerProcess {
    /// Its parts.
    pub context: Arc<worker::Context>,
    /// Its life.
    pub life: Mortal,
}

impl SchedulerProcess {
    /// Another one.
    pub fn start(ground: &Ground) -> Self {
        let scheduler = Arc::new(Scheduler::new(
            ground.store.clone(),
            ground.broker.clone(),
            Arc::clone(&ground.routes),
            Arc::clone(&ground.settings),
            ground.clock.clone(),
            CancellationToken::new(),
        ));
        Self {
            router: scheduler::router(Arc::clone(&scheduler)),
            scheduler,
            life: Mortal::default(),
        }
    }
}

impl WorkerProcess {
    /// Another one, known to the others.
    pub async fn start(ground: &Ground, identity: String) -> Self {
        let context = worker::Context::new(worker::Parts {
            store: ground.store.clone(),
            broker: ground.broker.clone(),
            ledger: Arc::clone(&ground.ledger),
            routes: Arc::clone(&ground.routes),
            settings: Arc::clone(&ground.settings),
            clock: ground.clock.clone(),
            identity,
        })
        .expect("the settings fit");
        worker::heartbeat::register(&context)
            .await
            .expect("the database is there");
        Self {
            context,
            life: Mortal::default(),
        }
    }
}
