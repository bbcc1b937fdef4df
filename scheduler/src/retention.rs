//! Retention: what has ended is removed when its time is over, so that no table grows with the years.
//!
//! Each kind of row is walked through from the oldest on, some pages a round; where the walk stands is a row in SQL, and whoever
//! holds it goes on. On PostgreSQL attempts and audit entries lie in months, which are made ahead and dropped whole.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use serde_json::json;
use shared::config::RetentionSettings;
use shared::store::audit::{self, Actor, Entry};
use shared::store::retention::{
    self, Kind, Limits, MONTHLY, Month, Monthly, drop_oldest, ensure_months,
};
use shared::store::{StoreError, Tx, connection_checks, minutes};
use shared::telemetry::names;

use crate::Scheduler;

/// Pages of a kind that one round takes: its transaction stays short, and the next round is soon.
const PAGES: usize = 5;
/// A walk that has come to its end begins anew after this time; months are looked at as often.
const REST: TimeDelta = TimeDelta::hours(1);
/// Months that are made ahead: schedulers may all be away for weeks.
const MONTHS_AHEAD: u32 = 2;
/// The turn of making and dropping months.
const PARTITIONS: &str = "partitions";
/// The turn of what operators have asked of connections, and how much of it is kept for each.
const CHECKS: &str = "connection_checks";
const CHECKS_KEPT: i64 = 20;

/// One round of what is due. How many rows were removed.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<u64> {
    let now = scheduler.now();
    let limits = limits(scheduler, now).await?;
    let due = retention::due(scheduler.store.conn(), now).await?;
    let turn_of_months = due.iter().any(|kind| kind == PARTITIONS);
    let dropped = if scheduler.store.is_postgres() && turn_of_months {
        tend_months(scheduler, &limits, now).await
    } else {
        Ok(0)
    };
    let mut removed = 0;
    for kind in Kind::ALL {
        if limits.of(kind).is_some() && due.iter().any(|name| name == kind.as_str()) {
            removed += walk_on(scheduler, kind, &limits, now).await?;
        }
    }
    if due.iter().any(|kind| kind == CHECKS) {
        removed += forget_checks(scheduler, now).await?;
    }
    // Told only now: a table whose lock is not to be had keeps nobody from what can be done.
    Ok(removed + dropped?)
}

async fn limits(scheduler: &Scheduler, now: DateTime<Utc>) -> anyhow::Result<Limits> {
    let RetentionSettings {
        jobs_days,
        attempts_months,
        events_days,
        requests_days,
        audit_months,
        drift_days,
    } = scheduler.settings.retention;
    // After a long time without schedulers: what the charts have not seen yet stays until they have.
    let folded = minutes::folded_until(scheduler.store.conn()).await?;
    let seen = folded.map_or(now, |until| until.max(now - minutes::KEPT));
    let days = |days: u32| (days > 0).then(|| seen.min(now - TimeDelta::days(i64::from(days))));
    let months = |months: u32| (months > 0).then(|| Month::of(now).minus(months).start());
    Ok(Limits {
        jobs: days(jobs_days),
        attempts: months(attempts_months),
        events: days(events_days),
        requests: days(requests_days),
        audit: months(audit_months),
        drift_reports: days(drift_days),
        keys: now - TimeDelta::from_std(scheduler.settings.scheduler.idempotency())?,
    })
}

/// Goes on with the walk of a kind, in one transaction with where it stands and what is said of it. Nothing when another scheduler is at it.
async fn walk_on(
    scheduler: &Scheduler,
    kind: Kind,
    limits: &Limits,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let tx = scheduler.store.begin().await?;
    let Some(walk) = retention::take(&tx, kind.as_str(), now).await? else {
        return Ok(0);
    };
    let (mut position, mut removed) = (walk.position, 0);
    for _ in 0..PAGES {
        let page = retention::remove_page(&tx, kind, position.as_deref(), limits).await?;
        removed += page.removed;
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    let next_at = if position.is_some() { now } else { now + REST };
    retention::leave(&tx, kind.as_str(), position.as_deref(), next_at).await?;
    if let Some(until) = limits.of(kind) {
        say(&tx, kind, removed, until, None, now).await?;
    }
    tx.commit().await?;
    count(kind, removed);
    Ok(removed)
}

/// Removes the checks of connections that newer ones have followed. No audit entry: that each was asked for is in the trail already.
async fn forget_checks(scheduler: &Scheduler, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let tx = scheduler.store.begin().await?;
    if retention::take(&tx, CHECKS, now).await?.is_none() {
        return Ok(0);
    }
    let removed = connection_checks::keep_newest(&tx, CHECKS_KEPT).await?;
    retention::leave(&tx, CHECKS, None, now + REST).await?;
    tx.commit().await?;
    Ok(removed)
}

/// Makes the months to come and drops those that are over for long enough. How many rows went with them.
async fn tend_months(
    scheduler: &Scheduler,
    limits: &Limits,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let tx = scheduler.store.begin().await?;
    if retention::take(&tx, PARTITIONS, now).await?.is_none() {
        return Ok(0);
    }
    retention::leave(&tx, PARTITIONS, None, now + REST).await?;
    tx.commit().await?;
    // One table at a time: who writes to both in the other order would wait for us, and we for them.
    for monthly in MONTHLY {
        let tx = scheduler.store.begin().await?;
        ensure_months(&tx, monthly, now, MONTHS_AHEAD).await?;
        tx.commit().await?;
    }
    let [attempts, audit] = MONTHLY;
    Ok(
        drop_months(scheduler, attempts, Kind::Attempts, limits, now).await?
            + drop_months(scheduler, audit, Kind::Audit, limits, now).await?,
    )
}

async fn drop_months(
    scheduler: &Scheduler,
    monthly: Monthly,
    kind: Kind,
    limits: &Limits,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let Some(limit) = limits.of(kind) else {
        return Ok(0);
    };
    let mut removed = 0;
    loop {
        let tx = scheduler.store.begin().await?;
        let Some(dropped) = drop_oldest(&tx, monthly, limit).await? else {
            return Ok(removed);
        };
        say(
            &tx,
            kind,
            dropped.rows,
            dropped.until,
            Some(&dropped.name),
            now,
        )
        .await?;
        tx.commit().await?;
        count(kind, dropped.rows);
        removed += dropped.rows;
    }
}

/// Leaves an entry in the audit trail, unless nothing was removed.
async fn say(
    tx: &Tx,
    kind: Kind,
    rows: u64,
    until: DateTime<Utc>,
    partition: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if rows == 0 {
        return Ok(());
    }
    let entry = Entry {
        actor: &Actor::System("retention"),
        action: "retention.removed",
        subject_kind: "retention",
        subject_id: kind.as_str(),
        from: None,
        to: None,
        reason: None,
        detail: json!({"rows": rows, "until": until, "partition": partition}),
    };
    audit::append(tx, &entry, now).await
}

fn count(kind: Kind, rows: u64) {
    if rows > 0 {
        counter!(names::RETENTION_REMOVED_TOTAL, "kind" => kind.as_str()).increment(rows);
        tracing::info!(kind = kind.as_str(), rows, "removed what was old");
    }
}
