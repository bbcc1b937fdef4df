//! Alerts: looks at what can go wrong, and tells the destinations of the configuration when something begins to, still does, or is over (N25).
//!
//! A look moves a row by compare-and-set and stores the messages in the same transaction, so that of any number of schedulers one tells
//! each change. Sending is a loop of its own: it keeps no look waiting, and what a dead process has not sent another one sends.

use chrono::TimeDelta;
use shared::alert::{AlertName, Look, Told};
use shared::store::StoreError;
use shared::store::alerts::messages::{self, NewMessage};
use shared::store::alerts::{self, Alert};

mod courier;
mod deliver;
mod mail;
mod message;
mod reading;
mod webhook;
mod wording;

pub use deliver::deliver;

pub(crate) use courier::{Letter, send};
pub(crate) use message::{runbook, test_body};
pub(crate) use wording::words;

use crate::Scheduler;

/// Messages that are sent or given up are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(90);

/// One look at every rule. How many changes are to be told.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let settings = &scheduler.settings.alerts;
    let mut known = alerts::all(conn).await?;
    if known.len() < AlertName::ALL.len() {
        alerts::ensure(conn, now).await?;
        known = alerts::all(conn).await?;
    }
    let mut readings = if settings.is_on() {
        reading::all(scheduler, now).await?
    } else {
        reading::Readings::default()
    };
    let mut changes = 0;
    for before in known {
        let rule = settings.rules.of(before.name);
        let reading = readings.remove(&before.name).unwrap_or_default();
        let look = Look {
            is_on: settings.is_on() && rule.enabled,
            holds: !reading.findings.is_empty(),
            is_silenced: before.is_silenced(now),
            for_long: rule.for_long(),
            quiet: rule.quiet(),
            now,
        };
        let (standing, told) = before.standing.after(&look);
        let after = Alert {
            standing,
            figure: reading.figure,
            findings: reading.findings,
            ..before.clone()
        };
        if after != before && store(scheduler, &before, &after, told).await? {
            changes += usize::from(told.is_some());
        }
    }
    messages::forget(conn, now - KEPT).await?;
    Ok(changes)
}

/// Stores a change and what is told of it. False when another scheduler, or an operator, was faster: the next look sees what they did.
async fn store(
    scheduler: &Scheduler,
    before: &Alert,
    after: &Alert,
    told: Option<Told>,
) -> Result<bool, StoreError> {
    let tx = scheduler.store.begin().await?;
    if !alerts::change(&tx, after).await? {
        return Ok(false);
    }
    if let Some(told) = told {
        let all = letters(scheduler, before, after, told);
        messages::insert_all(&tx, &all, scheduler.now()).await?;
    }
    tx.commit().await?;
    if let Some(told) = told {
        tracing::info!(alert = %after.name, told = %told, figure = after.figure, "an alert is told");
    }
    Ok(true)
}

/// A message for each destination of the rule.
fn letters(scheduler: &Scheduler, before: &Alert, after: &Alert, told: Told) -> Vec<NewMessage> {
    let settings = &scheduler.settings;
    let rule = settings.alerts.rules.of(after.name);
    // What is over is told with what it was.
    let shown = match told {
        Told::Resolved => before,
        Told::Fired | Told::Repeated => after,
    };
    let (subject, body) = message::compose(settings, shown, rule, told, scheduler.now());
    let names = settings.alerts.destinations.keys();
    names
        .filter(|name| rule.tells(name))
        .map(|name| NewMessage {
            alert: after.name,
            told,
            destination: name.clone(),
            subject: subject.clone(),
            body: body.clone(),
        })
        .collect()
}
