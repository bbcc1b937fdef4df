//! A mended state map is applied to tickets that do not change any more, without a call: their values are stored (T9, N24).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::job::{JobKind, lane_name};
use shared::route::Route;
use shared::store::jobs::QueuedJob;
use shared::store::requests::{self, Deed};
use shared::store::state_maps::{self, KnownMap};
use shared::store::switches::{self, PausedLanes};
use shared::store::tickets::{self, Saved, WatchedOne};
use shared::store::{StoreError, Tx};
use tracing::info;
use uuid::Uuid;

use crate::context::Context;
use crate::jobs::{again, mirror};

/// Watched tickets that one tick looks at.
const LOOKS: u64 = 500;
/// Tickets that one tick decides again, each in a transaction of its own.
const MOST: usize = 100;

/// The routes whose map this process has as it holds now: no process that started later has another one.
#[derive(Debug, Default)]
pub(crate) struct Maps(Mutex<HashSet<String>>);

impl Maps {
    /// Whether this process may decide anew what another map has decided.
    pub(crate) fn hold(&self, route: &str) -> bool {
        self.routes().contains(route)
    }

    fn routes(&self) -> MutexGuard<'_, HashSet<String>> {
        // Only lookups and replacements happen under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the others which maps this process has. Once, when it starts.
pub async fn announce(ctx: &Context) -> Result<(), StoreError> {
    let (conn, now) = (ctx.store.conn(), ctx.clock.now());
    for route in ctx.routes.iter() {
        state_maps::announce(conn, &route.name, route.states.fingerprint(), now).await?;
    }
    Ok(())
}

/// Looks at the next tickets of a walk, if one is under way for a map of this process; how many were decided again.
///
/// Workers may walk side by side: each ticket is decided by compare-and-set.
pub async fn tick(ctx: &Context) -> Result<usize, StoreError> {
    let conn = ctx.store.conn();
    let known = state_maps::all(conn).await?;
    let is_ours = |it: &&KnownMap| {
        let route = ctx.routes.by_name(&it.route);
        route.is_some_and(|route| route.states.fingerprint() == it.fingerprint)
    };
    let ours: Vec<&KnownMap> = known.iter().filter(is_ours).collect();
    *ctx.maps.routes() = ours.iter().map(|it| it.route.clone()).collect();
    let open: Vec<&KnownMap> = ours
        .into_iter()
        .filter(|it| it.walked_at.is_none())
        .collect();
    if open.is_empty() {
        return Ok(0);
    }
    let paused = PausedLanes::of(&switches::get_all(conn).await?);
    let mut open = open.into_iter().filter(|it| !is_paused(ctx, &paused, it));
    let Some(first) = open.next() else {
        return Ok(0);
    };
    // Maps that were changed together are walked for together.
    let walks: Vec<&KnownMap> = [first]
        .into_iter()
        .chain(open.filter(|it| it.position == first.position))
        .collect();
    let page = tickets::watched_page(conn, first.position, LOOKS).await?;
    let (decided, to) = walk(ctx, &walks, &page).await?;
    for it in walks {
        state_maps::advance(conn, it, to, ctx.clock.now()).await?;
    }
    if decided > 0 {
        info!(tickets = decided, "a changed state map was applied");
    }
    Ok(decided)
}

/// Whoever pauses what is read of a connection, because its map is wrong say, stops this too.
fn is_paused(ctx: &Context, paused: &PausedLanes, map: &KnownMap) -> bool {
    let route = ctx.routes.by_name(&map.route);
    let lane = |route: &Route| lane_name(JobKind::GetTicketStatus, Some(&route.connection));
    route.is_some_and(|route| paused.holds(&lane(route)))
}

/// How many were decided again, and where the walk goes on; `None`: it is at its end.
async fn walk(
    ctx: &Context,
    walks: &[&KnownMap],
    page: &[WatchedOne],
) -> Result<(usize, Option<Uuid>), StoreError> {
    let is_stale = |it: &&WatchedOne| {
        let map = walks.iter().find(|map| map.route == it.route);
        map.is_some_and(|map| it.decided_map.as_deref() != Some(&map.fingerprint))
    };
    let mut decided = 0;
    for it in page.iter().filter(is_stale) {
        decided += usize::from(decide(ctx, it.id).await?);
        if decided == MOST {
            return Ok((decided, Some(it.id)));
        }
    }
    let is_last = (page.len() as u64) < LOOKS;
    Ok((decided, page.last().map(|it| it.id).filter(|_| !is_last)))
}

/// Decides one ticket again. False when there was nothing left to decide.
async fn decide(ctx: &Context, id: Uuid) -> Result<bool, StoreError> {
    loop {
        let tx = ctx.store.begin().await?;
        match rewrite(ctx, &tx, id).await? {
            Rewritten::Decided(callbacks) => {
                tx.commit().await?;
                shared::queue::ring(&*ctx.broker, &callbacks).await;
                return Ok(true);
            }
            Rewritten::Nothing => return Ok(false),
            // Somebody else has written it in between, and knew something newer.
            Rewritten::Stale => {}
        }
    }
}

enum Rewritten {
    Decided(Vec<QueuedJob>),
    Nothing,
    Stale,
}

/// Tickets before requests, as closings write them.
async fn rewrite(ctx: &Context, tx: &Tx, id: Uuid) -> Result<Rewritten, StoreError> {
    let now = ctx.clock.now();
    let Some((before, request)) = tickets::with_requests(tx, &[id]).await?.pop() else {
        return Ok(Rewritten::Nothing);
    };
    let route = ctx.routes.by_name(&request.route);
    let Some(route) = route.filter(|route| again::is_due(route, &before)) else {
        return Ok(Rewritten::Nothing);
    };
    let after = mirror::decided(route, before.clone(), now);
    if tickets::save(tx, &before, &after, now).await? == Saved::Stale {
        return Ok(Rewritten::Stale);
    }
    let Some(current) = requests::hold(tx, id).await? else {
        return Ok(Rewritten::Nothing);
    };
    let Some(wish) = again::wish(route, &current, &after) else {
        return Ok(Rewritten::Decided(Vec::new()));
    };
    let deed = Deed {
        current: &current,
        change: wish.on(&current),
        actor: &wish.actor,
        action: wish.action,
        ticket: Some(after),
    };
    let applied = requests::apply_all(tx, &[deed], now).await?;
    Ok(applied.map_or(Rewritten::Stale, Rewritten::Decided))
}
