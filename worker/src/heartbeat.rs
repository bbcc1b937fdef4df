//! This process says that it lives, in one statement for all its jobs.

use shared::crash::{Point, reach};
use shared::process::host;
use shared::store::processes::{self, Process};
use shared::store::{StoreError, circuits, jobs};
use tracing::{info, warn};

use crate::context::Context;
use crate::dispatch::release_doubtful;

/// Makes this process known, so that its claims hold.
pub async fn register(ctx: &Context) -> Result<(), StoreError> {
    let sent = ctx.clock.monotonic();
    let now = ctx.clock.now();
    let process = Process {
        id: ctx.lease.owner(),
        kind: "worker".to_owned(),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lanes: lanes(ctx),
        started_at: now,
    };
    processes::register(ctx.store.conn(), &process, now + ctx.lease.length(), now).await?;
    ctx.lease.acknowledged(sent);
    Ok(())
}

/// One heart-beat. When the store has given the process up already, its leases are lost: what still runs is dropped at its end,
/// and the process begins anew. Jobs that a claim took although its answer was lost are let go. Its permits are renewed like its
/// jobs. Afterwards parked jobs of circuits whose time has come are let go, one of them as a probe.
pub async fn tick(ctx: &Context) -> Result<(), StoreError> {
    let sent = ctx.clock.monotonic();
    let now = ctx.clock.now();
    let until = now + ctx.lease.length();
    if processes::heartbeat(ctx.store.conn(), &ctx.lease.owner(), until, now).await? {
        ctx.lease.acknowledged(sent);
    } else {
        ctx.lease.lost();
        warn!(
            worker = ctx.identity,
            "this process was taken for dead and its jobs run elsewhere; it begins anew"
        );
        register(ctx).await?;
    }
    reach(Point::HeartBeaten).await;
    release_doubtful(ctx).await?;
    ctx.budget.renew().await;
    let standings = ctx.budget.standings();
    crate::trace::budget(&standings);
    ctx.silences.tell(&standings, now);
    release_parked(ctx).await
}

/// Whether an operator has told this process to end.
pub async fn is_to_drain(ctx: &Context) -> Result<bool, StoreError> {
    processes::is_to_drain(ctx.store.conn(), &ctx.lease.owner()).await
}

async fn release_parked(ctx: &Context) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    for circuit in circuits::all(ctx.store.conn()).await? {
        if circuit.until > now {
            continue;
        }
        let connection = circuit.connection.split('/').next().unwrap_or_default();
        let released = jobs::unpark(ctx.store.conn(), connection, now).await?;
        if released > 0 {
            info!(connection, released, "parked jobs try again");
        }
    }
    Ok(())
}

fn lanes(ctx: &Context) -> Vec<String> {
    let kinds = ctx.settings.worker.kinds();
    let lanes = kinds
        .into_iter()
        .filter_map(|kind| crate::lanes::of(ctx, kind).ok());
    lanes.flatten().map(|lane| lane.to_string()).collect()
}
