//! Wires the parts of a scheduler into a process.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use shared::process::{Process, every};
use shared::server;
use shared::telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};

use crate::gauges::Gauges;
use crate::sweeper::Sweeper;
use crate::{
    Scheduler, alerts, cadence, giveup, minutes, operations, relay, retention, router, seals, tail,
    waits,
};

/// However often it is nudged, the relay rests this long between two rounds: under load intake nudges with every call.
const RELAY_PAUSE: Duration = Duration::from_millis(40);
/// Cadences are looked at this often; the shortest one is a second.
const CADENCE_EVERY: Duration = Duration::from_secs(1);
const GIVE_UP_EVERY: Duration = Duration::from_mins(10);
/// Most looks find that nothing is due; while much is to be removed, each takes some thousand rows.
const RETENTION_EVERY: Duration = Duration::from_secs(10);
/// Callers that wait are looked after this often, and at once when somebody in this process has stored news.
const WAITS_EVERY: Duration = Duration::from_millis(500);
/// However fast news come, rest this long between two looks.
const WAITS_PAUSE: Duration = Duration::from_millis(50);
const GAUGES_EVERY: Duration = Duration::from_secs(5);
/// What operators do with many jobs goes on this often.
const OPERATIONS_EVERY: Duration = Duration::from_millis(500);
/// What is left of the calls of each connection is looked up this often.
const BUDGETS_EVERY: Duration = Duration::from_secs(2);
/// Audit entries that have settled are sealed this often.
const SEALS_EVERY: Duration = Duration::from_secs(10);
/// Messages about alerts are looked for this often.
const MESSAGES_EVERY: Duration = Duration::from_secs(2);
/// Each minute is counted soon after it has ended; most looks find nothing to fold.
const MINUTES_EVERY: Duration = Duration::from_secs(5);
/// Sessions and refusals that no longer count are removed this often.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// Why the HTTP server cannot have its address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody has it.
    #[error(
        "{address} is in use by another program; stop that program, or set server.listen to another port (find it with `ss -ltnp`)"
    )]
    InUse {
        /// The address of the settings.
        address: String,
    },
    /// Ports below 1024 want rights.
    #[error("this user may not listen on {address}; set server.listen to a port above 1023")]
    Forbidden {
        /// The address of the settings.
        address: String,
    },
    /// The address is not one of this machine, or does not read.
    #[error(
        "cannot listen on {address}: {source}; set server.listen to an address of this machine, such as 0.0.0.0:8080"
    )]
    Unusable {
        /// The address of the settings.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Takes the address of the HTTP API.
pub async fn bind(address: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| {
        let address = address.to_owned();
        match source.kind() {
            ErrorKind::AddrInUse => BindError::InUse { address },
            ErrorKind::PermissionDenied => BindError::Forbidden { address },
            _ => BindError::Unusable { address, source },
        }
    })
}

/// Starts everything a scheduler does as tasks of `process`: the HTTP API on `listener`, the tail of its feed, relay, sweeper, cadences, giving up,
/// retention, alerts and gauges. The scheduler must have been made with the stop token of this process.
pub fn start(
    scheduler: &Arc<Scheduler>,
    listener: TcpListener,
    process: &mut Process,
) -> anyhow::Result<()> {
    let metrics = Metrics::install()?;
    process.supervise("metrics", metrics.keep(scheduler.stop.clone()));
    process.supervise("http", serve(Arc::clone(scheduler), listener));
    process.supervise("tail", tail::keep(Arc::clone(scheduler)));
    supervise_relay(scheduler, process);
    supervise_sweeper(scheduler, process);
    supervise_cadences(scheduler, process);
    supervise_waits(scheduler, process);
    let it = Arc::clone(scheduler);
    process.supervise(
        "giveup",
        looped(scheduler, GIVE_UP_EVERY, move || {
            let it = Arc::clone(&it);
            async move { giveup::tick(&it).await.map(drop) }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "retention",
        looped(scheduler, RETENTION_EVERY, move || {
            let it = Arc::clone(&it);
            async move { retention::tick(&it).await.map(drop) }
        }),
    );
    supervise_operators(scheduler, process);
    supervise_alerts(scheduler, process);
    let gauges = Arc::new(Mutex::new(Gauges::default()));
    let it = Arc::clone(scheduler);
    process.supervise(
        "gauges",
        looped(scheduler, GAUGES_EVERY, move || {
            let (it, gauges) = (Arc::clone(&it), Arc::clone(&gauges));
            async move { gauges.lock().await.tick(&it).await }
        }),
    );
    Ok(())
}

/// Serves until the stop, then lets calls that have begun come to their end.
async fn serve(scheduler: Arc<Scheduler>, listener: TcpListener) -> anyhow::Result<()> {
    let settings = &scheduler.settings;
    let limits = settings.server.limits(settings.worker.drain());
    let stop = scheduler.stop.clone();
    server::serve(listener, router(scheduler), limits, stop).await;
    Ok(())
}

fn supervise_relay(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    let interval = scheduler.settings.scheduler.relay_interval();
    let tick = move || {
        let it = Arc::clone(&it);
        async move {
            let rung = relay::tick(&it).await;
            tokio::time::sleep(RELAY_PAUSE).await;
            rung.map(drop)
        }
    };
    process.supervise(
        "relay",
        every(
            interval,
            Arc::clone(&scheduler.relay_nudge),
            scheduler.stop.clone(),
            tick,
        ),
    );
}

fn supervise_sweeper(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    let sweeper = Arc::new(Mutex::new(Sweeper::default()));
    process.supervise(
        "sweeper",
        looped(
            scheduler,
            scheduler.settings.scheduler.sweep_interval(),
            move || {
                let (it, sweeper) = (Arc::clone(&it), Arc::clone(&sweeper));
                async move { sweeper.lock().await.tick(&it).await.map(drop) }
            },
        ),
    );
}

fn supervise_waits(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    let tick = move || {
        let it = Arc::clone(&it);
        async move {
            let happened = waits::tick(&it).await;
            tokio::time::sleep(WAITS_PAUSE).await;
            happened.map(drop)
        }
    };
    let (news, stop) = (Arc::clone(&scheduler.feed_nudge), scheduler.stop.clone());
    process.supervise("waits", every(WAITS_EVERY, news, stop, tick));
}

fn supervise_cadences(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    let tidied = Arc::new(tokio::sync::OnceCell::new());
    process.supervise(
        "cadence",
        looped(scheduler, CADENCE_EVERY, move || {
            let (it, tidied) = (Arc::clone(&it), Arc::clone(&tidied));
            async move {
                tidied.get_or_try_init(|| cadence::settle(&it)).await?;
                cadence::tick(&it).await.map(drop)
            }
        }),
    );
}

/// What operators see and do.
fn supervise_operators(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    process.supervise(
        "operations",
        looped(scheduler, OPERATIONS_EVERY, move || {
            let it = Arc::clone(&it);
            async move { operations::tick(&it).await.map(drop) }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "budgets",
        looped(scheduler, BUDGETS_EVERY, move || {
            let it = Arc::clone(&it);
            async move {
                it.look_at_budgets().await;
                Ok(())
            }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "seals",
        looped(scheduler, SEALS_EVERY, move || {
            let it = Arc::clone(&it);
            async move { seals::tick(&it).await.map(drop) }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "minutes",
        looped(scheduler, MINUTES_EVERY, move || {
            let it = Arc::clone(&it);
            async move { minutes::tick(&it).await.map(drop) }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "logins",
        looped(scheduler, TIDY_EVERY, move || {
            let it = Arc::clone(&it);
            async move { it.tidy_logins().await }
        }),
    );
}

/// Looks and sends apart from each other: whoever does not answer keeps no look waiting.
fn supervise_alerts(scheduler: &Arc<Scheduler>, process: &mut Process) {
    let it = Arc::clone(scheduler);
    let interval = scheduler.settings.alerts.interval();
    process.supervise(
        "alerts",
        looped(scheduler, interval, move || {
            let it = Arc::clone(&it);
            async move { alerts::tick(&it).await.map(drop) }
        }),
    );
    let it = Arc::clone(scheduler);
    process.supervise(
        "alert-messages",
        looped(scheduler, MESSAGES_EVERY, move || {
            let it = Arc::clone(&it);
            async move { alerts::deliver(&it).await.map(drop) }
        }),
    );
}

/// A loop that only the clock wakes.
fn looped<F, Fut>(
    scheduler: &Scheduler,
    interval: Duration,
    tick: F,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    every(
        interval,
        Arc::new(Notify::new()),
        scheduler.stop.clone(),
        tick,
    )
}
