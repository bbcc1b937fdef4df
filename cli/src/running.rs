//! From open connections to running processes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::budget::{Budget, Ledger, Terms};
use shared::clock::{SharedClock, SystemClock};
use shared::config::{ProcessKind, Settings};
use shared::process::{Process, identity};
use shared::queue::Broker;
use shared::route::Routes;
use shared::store::{SqliteGuard, Store};
use shared::telemetry::Guard;
use tokio::net::TcpListener;

use crate::exit::Failure;
use crate::wiring;

/// What the rest of a process gets after its workers had their time.
const GRACE: Duration = Duration::from_secs(5);

/// What every long-running process needs.
pub(crate) struct Parts {
    pub(crate) settings: Arc<Settings>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) store: Store,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: SharedClock,
    /// Keeps a second process off the SQLite file for as long as this one lives.
    _guard: Option<SqliteGuard>,
}

impl Parts {
    /// What a process gets at the stop to end in good order.
    pub(crate) fn drain(&self) -> Duration {
        self.settings.worker.drain() + GRACE
    }

    /// Checks the settings for this kind of process, opens database and queue.
    pub(crate) async fn build(settings: Settings, kind: ProcessKind) -> Result<Self, Failure> {
        settings
            .check_for(kind)
            .map_err(|problems| Failure::Configuration(problems.to_string()))?;
        let routes = settings
            .compile_routes()
            .map_err(|problems| Failure::Configuration(problems.to_string()))?;
        // Opened first: it tells more of a missing folder or a read-only file than a lock that cannot be made.
        let store = wiring::connect(&settings).await?;
        let guard = wiring::store_options(&settings)
            .sqlite_file()
            .as_deref()
            .map(SqliteGuard::acquire)
            .transpose()
            .map_err(wiring::database_failure)?;
        wiring::prepare(&store, &settings).await?;
        let broker = wiring::broker(&settings).await?;
        wiring::refuse_unfit(&*broker).await?;
        let ledger = wiring::ledger(&settings)?;
        let settings = Arc::new(settings);
        let clock: SharedClock = Arc::new(SystemClock);
        Ok(Self {
            settings,
            routes: Arc::new(routes),
            store,
            broker,
            ledger,
            clock,
            _guard: guard,
        })
    }
}

/// Starts the loops and the API of a scheduler.
pub(crate) async fn start_scheduler(parts: &Parts, process: &mut Process) -> Result<(), Failure> {
    let listener = scheduler::bind(&parts.settings.server.listen)
        .await
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    serve(parts, listener, process)
}

/// The same on an address that is taken already.
pub(crate) fn serve(
    parts: &Parts,
    listener: TcpListener,
    process: &mut Process,
) -> Result<(), Failure> {
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    let connections = parts.settings.connections.iter();
    let terms = connections.map(|(name, settings)| (name.clone(), Terms::from(settings)));
    let budget = Budget::new(
        &parts.ledger,
        &parts.clock,
        "scheduler",
        Duration::ZERO,
        terms,
    );
    let scheduler = scheduler::Scheduler::new(
        parts.store.clone(),
        Arc::clone(&parts.broker),
        Arc::clone(&parts.routes),
        Arc::clone(&parts.settings),
        Arc::clone(&parts.clock),
        process.stop_token(),
    );
    let http = shared::webhook::client(parts.settings.alerts.timeout())
        .context("the HTTP client for alerts cannot be built")?;
    let scheduler = scheduler
        .with_budget(Arc::new(budget))
        .with_http(http)
        .with_identity_provider(wiring::http_client()?);
    let scheduler = Arc::new(scheduler);
    scheduler::start(&scheduler, listener, process)?;
    tracing::info!(%address, "the scheduler answers");
    Ok(())
}

/// Starts the workers of the configured queues.
pub(crate) async fn start_worker(
    parts: &Parts,
    kind: &str,
    process: &mut Process,
) -> Result<(), Failure> {
    let context = worker::Context::new(worker::Parts {
        store: parts.store.clone(),
        broker: Arc::clone(&parts.broker),
        ledger: Arc::clone(&parts.ledger),
        routes: Arc::clone(&parts.routes),
        settings: Arc::clone(&parts.settings),
        clock: Arc::clone(&parts.clock),
        identity: identity(kind),
    })?;
    worker::start(&context, &parts.settings.worker.queues, process).await?;
    Ok(())
}

/// Runs until a signal, a failure, or the stop of one of the parts; jobs that run get their time to end.
pub(crate) async fn run_to_stop(
    parts: Parts,
    process: Process,
    logging: Guard,
    asked_to_stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let ended = process.run(asked_to_stop, parts.drain()).await;
    if let Err(error) = parts.store.close().await {
        tracing::warn!(%error, "the database was not closed in good order");
    }
    logging.finish().await;
    Ok(ended?)
}
