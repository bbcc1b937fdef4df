//! Cadences: how often the changes of a table are asked for, and how often all its open tickets are read by id.
//!
//! One cadence a table and connection serves all open tickets of it. Whoever moves `next_at` first stores the job, in the
//! same transaction; a run that is still under way keeps the next one out by its dedup key. So runs of a cadence never
//! overlap, however many schedulers there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::crash::{Point, reach};
use shared::job::{ChoicesCheck, DriftCheck, NewJob, Payload, StatusRead};
use shared::queue::ring;
use shared::store::cadences::{self, Cadence, CadenceSpec};
use shared::store::tickets::{self, OpenTable};
use shared::store::{StoreError, choice_lists, jobs};

use crate::Scheduler;

/// Reads what changed.
const CHANGES: &str = "changes";
/// Reads every open ticket by id.
const RECONCILE: &str = "reconcile";
/// Compares the table with the instance's own count.
const DRIFT: &str = "drift";
/// Compares the choice lists of the table with the state maps of its routes.
const CHOICES: &str = "choices";

/// One round: makes sure that every table that a route writes to has its cadences, and starts what is due. How many jobs were
/// stored. Its cost does not grow with the tickets that are open.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let now = scheduler.now();
    ensure(scheduler, &[]).await?;
    reach(Point::CadenceEnsured).await;
    let mut started = 0;
    for cadence in cadences::due(scheduler.store.conn(), now).await? {
        started += usize::from(take_turn(scheduler, &cadence, now).await?);
    }
    Ok(started)
}

/// Makes sure of the cadences of tables whose routes are gone while tickets are open in them, and removes those that neither the
/// configuration nor an open ticket needs. Done once, at the start of a process: while old and new schedulers run side by side,
/// neither takes from the other what it needs.
pub async fn settle(scheduler: &Scheduler) -> anyhow::Result<u64> {
    let conn = scheduler.store.conn();
    let open = tickets::open_tables(conn).await?;
    ensure(scheduler, &open).await?;
    let names: Vec<String> = wanted(scheduler, &open).into_keys().collect();
    forget_choices(scheduler, &names).await?;
    Ok(cadences::remove_others(conn, &names).await?)
}

/// What nobody compares any more grows old, and says what may no longer be true.
async fn forget_choices(scheduler: &Scheduler, wanted: &[String]) -> Result<(), StoreError> {
    let conn = scheduler.store.conn();
    for it in choice_lists::all(conn).await? {
        let name = format!("{CHOICES}:{}:{}", it.connection, it.table);
        if !wanted.contains(&name) {
            choice_lists::forget(conn, &it.connection, &it.table).await?;
        }
    }
    Ok(())
}

async fn ensure(scheduler: &Scheduler, open: &[OpenTable]) -> Result<(), StoreError> {
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let stored: BTreeMap<String, Cadence> = cadences::list(conn)
        .await?
        .into_iter()
        .map(|it| (it.name.clone(), it))
        .collect();
    for (name, spec) in wanted(scheduler, open) {
        if stored.get(&name).is_none_or(|it| it.every != spec.every) {
            cadences::ensure(conn, &spec, now).await?;
        }
    }
    Ok(())
}

/// The cadences of every table that a route writes to or that is known to hold open tickets, by name.
fn wanted(scheduler: &Scheduler, open: &[OpenTable]) -> BTreeMap<String, CadenceSpec> {
    let routed: BTreeSet<(&str, &str)> = scheduler
        .routes
        .iter()
        .map(|route| (route.connection.as_str(), route.kind.table()))
        .collect();
    let held = open
        .iter()
        .map(|it| (it.connection.as_str(), it.table.as_str()));
    let tables: BTreeSet<(&str, &str)> = routed.iter().copied().chain(held).collect();
    let mut specs = BTreeMap::new();
    for (connection, table) in tables {
        // Without its settings a connection cannot be called; its tickets wait for it to come back.
        let Some(settings) = scheduler.settings.connections.get(connection) else {
            continue;
        };
        // Without a route there is no map to compare with.
        let choices = settings
            .choices()
            .filter(|_| routed.contains(&(connection, table)));
        let cadences = [
            (CHANGES, Some(settings.poll())),
            (RECONCILE, Some(settings.reconcile())),
            (DRIFT, settings.drift()),
            (CHOICES, choices),
        ];
        for (kind, every) in cadences {
            let Some(every) = every else { continue };
            let spec = spec(kind, connection, table, every);
            specs.insert(spec.name.clone(), spec);
        }
    }
    specs
}

fn spec(kind: &str, connection: &str, table: &str, every: Duration) -> CadenceSpec {
    CadenceSpec {
        name: format!("{kind}:{connection}:{table}"),
        kind: kind.to_owned(),
        connection: connection.to_owned(),
        table: table.to_owned(),
        every,
    }
}

/// Takes the turn of a due cadence and stores its job. False when another scheduler was faster, the run before it is still
/// under way, or no ticket is open: then no call is made, but for choice lists, which are to be known before the first ticket.
async fn take_turn(
    scheduler: &Scheduler,
    cadence: &Cadence,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let tx = scheduler.store.begin().await?;
    if !cadences::advance(&tx, cadence, next_turn(cadence, now), now).await? {
        return Ok(false);
    }
    reach(Point::CadenceAdvanced).await;
    let needed = cadence.kind == CHOICES
        || tickets::any_open(&tx, &cadence.connection, &cadence.table).await?;
    let mut stored = None;
    // Not left to `insert`, which would have the page that is running run once more: a run longer than its turn would
    // never get past that page.
    let idle = needed && !jobs::is_live(&tx, &cadence.name).await?;
    if let Some(job) = job(cadence, now).filter(|_| idle) {
        stored = if scheduler
            .lanes
            .admit(&job.lane(), job.connection.as_deref())
        {
            jobs::insert(&tx, &job, now).await?
        } else {
            jobs::insert_due(&tx, &job, now).await?
        };
    }
    reach(Point::CadenceStored).await;
    tx.commit().await?;
    reach(Point::CadenceCommitted).await;
    ring(&*scheduler.broker, stored.as_slice()).await;
    Ok(stored.is_some())
}

/// Turns that were missed are not made up for: one read covers them all.
fn next_turn(cadence: &Cadence, now: DateTime<Utc>) -> DateTime<Utc> {
    let every = TimeDelta::from_std(cadence.every).unwrap_or(TimeDelta::MAX);
    let regular = cadence.next_at + every;
    if regular > now { regular } else { now + every }
}

fn job(cadence: &Cadence, now: DateTime<Utc>) -> Option<NewJob> {
    let (connection, table) = (cadence.connection.clone(), cadence.table.clone());
    let (payload, priority) = match cadence.kind.as_str() {
        CHANGES => (
            Payload::GetTicketStatus(StatusRead::Changes {
                connection,
                table,
                after: None,
            }),
            2,
        ),
        RECONCILE => (
            Payload::GetTicketStatus(StatusRead::Reconcile {
                connection,
                table,
                after: None,
            }),
            4,
        ),
        DRIFT => (
            Payload::CheckDrift(DriftCheck {
                connection,
                table,
                rest: None,
            }),
            5,
        ),
        CHOICES => (Payload::CheckChoices(ChoicesCheck { connection, table }), 5),
        // A kind that a newer version has stored is that version's to run.
        _ => return None,
    };
    Some(NewJob {
        payload,
        connection: Some(cadence.connection.clone()),
        request_id: None,
        priority,
        due_at: now,
        dedup_key: Some(cadence.name.clone()),
        traceparent: shared::telemetry::current_traceparent(),
    })
}
