//! Gives up on tickets that have been open for longer than their route allows: they are flagged and no longer read.

use chrono::{DateTime, TimeDelta, Utc};
use shared::crash::{Point, reach};
use shared::queue::ring;
use shared::request::Request;
use shared::store::audit::Actor;
use shared::store::requests::{self, Applied, Change};
use shared::store::tickets::{self, Saved};
use shared::ticket::Ticket;
use uuid::Uuid;

use crate::Scheduler;

const PAGE: u64 = 500;
/// For requests whose route has left the configuration: the default of `give_up_days`.
const USUAL_AGE: TimeDelta = TimeDelta::days(90);

/// One round over all open tickets. How many were given up.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let mut given_up = 0;
    for table in tickets::open_tables(scheduler.store.conn()).await? {
        let mut after: Option<Uuid> = None;
        loop {
            let conn = scheduler.store.conn();
            let page =
                tickets::open_page(conn, &table.connection, &table.table, after, PAGE).await?;
            for (ticket, request) in &page {
                given_up += usize::from(consider(scheduler, ticket, request).await?);
            }
            match page.last() {
                Some((ticket, _)) if page.len() as u64 == PAGE => after = Some(ticket.request_id),
                _ => break,
            }
        }
    }
    Ok(given_up)
}

async fn consider(
    scheduler: &Scheduler,
    ticket: &Ticket,
    request: &Request,
) -> anyhow::Result<bool> {
    // The rows of a page are read after their ids: another scheduler may have been here in between.
    if ticket.given_up_at.is_some() {
        return Ok(false);
    }
    let now = scheduler.now();
    let route = scheduler.routes.by_name(&request.route);
    let age = route
        .and_then(|route| TimeDelta::from_std(route.give_up_after).ok())
        .unwrap_or(USUAL_AGE);
    if now - request.created_at <= age {
        return Ok(false);
    }
    give_up(scheduler, ticket, request, age, now).await
}

/// Flags request and ticket together. False when either has changed meanwhile: the next round looks again.
async fn give_up(
    scheduler: &Scheduler,
    ticket: &Ticket,
    request: &Request,
    age: TimeDelta,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let tx = scheduler.store.begin().await?;
    let after = Ticket {
        given_up_at: Some(now),
        ..ticket.clone()
    };
    if tickets::save(&tx, ticket, &after, now).await? == Saved::Stale {
        return Ok(false);
    }
    reach(Point::GiveUpMarked).await;
    let attention = format!(
        "The ticket has been open for more than {} days; the bridge no longer reads it. Close the ticket and the request, or \
         raise give_up_days of route `{}`.",
        age.num_days(),
        request.route
    );
    let change = Change {
        attention: Some(Some(attention)),
        ..Change::default()
    };
    let actor = Actor::System("scheduler");
    let applied = requests::apply(&tx, request, &change, &actor, "request.given_up", now).await?;
    let callbacks = match applied {
        Applied::Changed(_, callbacks) => callbacks,
        Applied::Unchanged(_) => Vec::new(),
        Applied::Stale => return Ok(false),
    };
    reach(Point::GiveUpWritten).await;
    tx.commit().await?;
    reach(Point::GiveUpCommitted).await;
    ring(&*scheduler.broker, &callbacks).await;
    scheduler.feed_nudge.notify_one();
    Ok(true)
}
