//! The parts of a worker process, each supervised.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::job::JobKind;
use shared::process::{Process, every};
use shared::queue::Slots;
use shared::store::{StoreError, circuits, jobs, processes};
use shared::telemetry::Metrics;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::context::Context;
use crate::limits::{self, Served};
use crate::runtime::{LaneWorker, Ring};
use crate::{credentials, decisions, dispatch, health, heartbeat, lanes, runtime};

/// How often the credentials are looked at. They die by days; that an instance begins to refuse one is known within this time.
const CREDENTIALS_LOOKED_AT: Duration = Duration::from_mins(1);

/// How often a walk with a changed state map takes its next step. Without one it is a look at a row for each route.
const DECISIONS_EVERY: Duration = Duration::from_secs(2);

/// Starts the heart-beat and the workers of `queues`, by name; of the configured ones when none is named. Returns once this process
/// is known to the others; its tasks run in `process`.
pub async fn start(
    ctx: &Arc<Context>,
    queues: &[String],
    process: &mut Process,
) -> anyhow::Result<()> {
    let served = served(ctx, &kinds(ctx, queues)?)?;
    let listener = match ctx.settings.worker.listen_address() {
        Some(address) => Some(health::bind(address).await?),
        None => None,
    };
    heartbeat::register(ctx)
        .await
        .context("this worker cannot make itself known")?;
    give_parked_another_try(ctx).await?;
    decisions::announce(ctx).await?;
    limits::tick(ctx, &served).await?;
    let metrics = Metrics::install()?;
    let stop = process.stop_token();
    process.supervise("metrics", metrics.clone().keep(stop.clone()));
    if let Some(listener) = listener {
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        info!(%address, "the worker answers");
        let serving = health::serve(Arc::clone(ctx), metrics, listener, stop.clone());
        process.supervise("health", serving);
    }
    // Jobs that run when the stop comes still need their lease, so the heart goes on beating until the last one has ended.
    let drained = CancellationToken::new();
    let heart = beat(ctx, served.clone(), stop.clone(), drained.clone());
    process.supervise("heartbeat", heart);
    process.supervise("credentials", watch_credentials(ctx, stop.clone()));
    process.supervise("decisions", decide_again(ctx, stop.clone()));
    let drain = ctx.settings.worker.drain();
    let run = runtime::run(
        workers(ctx, served),
        Arc::clone(&ctx.broker),
        answering(ctx),
        stop,
        drain,
    );
    let leaving = Arc::clone(ctx);
    process.supervise("workers", async move {
        let beating = drained.drop_guard();
        let result = run.await;
        drop(beating);
        leave(&leaving).await;
        Ok(result?)
    });
    Ok(())
}

/// Until it is `drained`; an operator's word leads to `stop`, or to another number of jobs at a time.
fn beat(
    ctx: &Arc<Context>,
    served: Vec<Served>,
    stop: CancellationToken,
    drained: CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let (ctx, served) = (Arc::clone(ctx), Arc::new(served));
    every(
        ctx.settings.worker.heartbeat(),
        Arc::new(Notify::new()),
        drained,
        move || {
            let (ctx, served, stop) = (Arc::clone(&ctx), Arc::clone(&served), stop.clone());
            async move {
                heartbeat::tick(&ctx).await?;
                if !stop.is_cancelled() && heartbeat::is_to_drain(&ctx).await? {
                    info!(
                        "an operator drains this worker: it takes no new job, and ends when those that run have ended"
                    );
                    stop.cancel();
                }
                Ok(limits::tick(&ctx, &served).await?)
            }
        },
    )
}

fn watch_credentials(
    ctx: &Arc<Context>,
    stop: CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let ctx = Arc::clone(ctx);
    every(
        CREDENTIALS_LOOKED_AT,
        Arc::new(Notify::new()),
        stop,
        move || {
            let ctx = Arc::clone(&ctx);
            async move { Ok(credentials::tick(&ctx).await?) }
        },
    )
}

fn decide_again(
    ctx: &Arc<Context>,
    stop: CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let ctx = Arc::clone(ctx);
    every(DECISIONS_EVERY, Arc::new(Notify::new()), stop, move || {
        let ctx = Arc::clone(&ctx);
        async move { decisions::tick(&ctx).await.map(drop).map_err(Into::into) }
    })
}

fn kinds(ctx: &Context, queues: &[String]) -> anyhow::Result<Vec<JobKind>> {
    if queues.is_empty() {
        return Ok(ctx.settings.worker.kinds());
    }
    let kind = |queue: &String| {
        let known = JobKind::QUEUES
            .into_iter()
            .find(|kind| kind.queue() == queue);
        known.with_context(|| {
            let names = JobKind::QUEUES.map(JobKind::queue).join(", ");
            format!("there is no queue `{queue}`; the queues are {names}")
        })
    };
    queues.iter().map(kind).collect()
}

/// The lanes of these kinds, each with slots of its own.
fn served(ctx: &Context, kinds: &[JobKind]) -> anyhow::Result<Vec<Served>> {
    let mut served = Vec::new();
    for kind in kinds {
        let slots = || Slots::new(ctx.settings.worker.concurrency(*kind));
        let lanes = lanes::of(ctx, *kind)?.into_iter();
        served.extend(lanes.map(|lane| Served {
            lane,
            kind: *kind,
            slots: slots(),
        }));
    }
    Ok(served)
}

/// One worker a queue and connection, so that a slow instance holds up no other (T25).
fn workers(ctx: &Context, served: Vec<Served>) -> Vec<LaneWorker> {
    let worker = |it: Served| LaneWorker {
        name: format!("{}/{}", it.lane, ctx.identity),
        slots: it.slots,
        lanes: vec![it.lane],
    };
    served.into_iter().map(worker).collect()
}

fn answering(ctx: &Arc<Context>) -> Ring {
    let ctx = Arc::clone(ctx);
    Arc::new(move |bell| {
        let ctx = Arc::clone(&ctx);
        Box::pin(async move { dispatch::ring(&ctx, bell).await })
    })
}

/// A start often follows a mended configuration: what waited for that is tried at once, and held anew if it still fails.
async fn give_parked_another_try(ctx: &Context) -> anyhow::Result<()> {
    let (conn, now) = (ctx.store.conn(), ctx.clock.now());
    for circuit in circuits::all(conn).await? {
        if circuit.wants_a_hand() {
            circuits::close(conn, &circuit.connection, now).await?;
        }
    }
    for connection in ctx.connections.iter() {
        let released = jobs::unpark(conn, &connection.name, now).await?;
        if released > 0 {
            info!(
                connection = connection.name,
                released, "parked jobs try again"
            );
        }
    }
    for lane in lanes::of(ctx, JobKind::DeliverCallback)? {
        jobs::unpark(conn, lane.as_str(), now).await?;
    }
    Ok(())
}

/// What still runs here is given to others at once instead of when the lease runs out.
async fn leave(ctx: &Context) {
    if let Err(error) = sign_off(ctx).await {
        warn!(%error, "this worker could not sign off; its jobs run again when its lease runs out");
    }
}

async fn sign_off(ctx: &Context) -> Result<(), StoreError> {
    let owner = ctx.lease.owner();
    let tx = ctx.store.begin().await?;
    jobs::hand_back(&tx, &owner, ctx.clock.now()).await?;
    processes::deregister(&tx, &owner).await?;
    tx.commit().await.map_err(StoreError::from)
}
