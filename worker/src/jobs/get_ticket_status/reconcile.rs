//! Open tickets of a table by id, whether or not they changed: what polling cannot see (deleted and hidden records, changes that
//! leave no stamp).

use std::collections::HashSet;

use servicenow_client::{ListRequest, Query, QueryError, Record};
use shared::budget::Class;
use shared::job::{NewJob, Payload, StatusRead};
use shared::request::Request;
use shared::store::tickets;
use shared::ticket::Ticket;
use uuid::Uuid;

use super::super::case::Seat;
use super::super::mirror;
use super::rows;
use crate::attention::Attention;
use crate::effects::{Effects, Wish};
use crate::outcome::{Finished, Outcome, Ran, Scope};
use crate::run::Run;

/// Tickets of a page: their ids keep the URL below 7 KB (wire contract 2.8, E12).
const PAGE: u32 = 150;

/// With this many open tickets and not one visible, it is access that was lost, not the tickets.
const SUSPICIOUS: usize = 3;

pub(super) async fn run(run: &Run<'_>, connection: &str, table: &str, after: Option<Uuid>) -> Ran {
    let seat = Seat::take(run, Class::Bulk, connection, table).await?;
    let conn = run.ctx.store.conn();
    let open = tickets::open_page(conn, connection, table, after, u64::from(PAGE)).await?;
    let mut effects = Effects::default();
    if !open.is_empty() {
        read(run, &seat, &open, &mut effects).await?;
    }
    match open.last() {
        Some((last, _)) if open.len() >= PAGE as usize => {
            effects
                .jobs
                .push(next_page(run, connection, table, last.request_id));
        }
        _ => effects.cadence_finished = Some(name(connection, table)),
    }
    Ok(Finished::done(effects))
}

async fn read(
    run: &Run<'_>,
    seat: &Seat<'_>,
    open: &[(Ticket, Request)],
    effects: &mut Effects,
) -> Ran<()> {
    let ids: Vec<&str> = open
        .iter()
        .filter_map(|(it, _)| it.sys_id.as_deref())
        .collect();
    let query = by_ids(&ids).map_err(|error| Outcome::dead("query", error.to_string()))?;
    let list = ListRequest::new(query.clone(), mirror::COLUMNS).limit(PAGE);
    let page = run.read(seat.table.list(&list)).await;
    let found = page.map_err(|error| seat.judge(run, &error))?.value.rows;
    if found.iter().any(|row| query.verify(row).is_err()) {
        return Err(dropped_condition(seat).into());
    }
    let seen: HashSet<&str> = found.iter().filter_map(Record::sys_id).collect();
    let is_missing = |ticket: &Ticket| {
        let unseen = |id: &str| !seen.contains(id);
        ticket.sys_id.as_deref().is_some_and(unseen) && !mirror::seen_lately(ticket, run.now())
    };
    let missing: Vec<_> = open.iter().filter(|(it, _)| is_missing(it)).collect();
    if found.is_empty() && missing.len() >= SUSPICIOUS {
        return Err(nothing_visible(seat, missing.len()).into());
    }
    for (ticket, request) in missing {
        let wish = hidden(ticket, request);
        effects
            .subjects
            .push(rows::subject(ticket, ticket.clone(), Some(wish)));
    }
    rows::apply(run, seat, &found, effects).await
}

fn by_ids(ids: &[&str]) -> Result<Query, QueryError> {
    Query::new().in_list("sys_id", ids)?.order_by("sys_id")
}

/// Deleted, or out of sight for the account: nobody can tell from here.
pub(in crate::jobs) fn hidden(ticket: &Ticket, request: &Request) -> Wish {
    let number = ticket
        .number
        .as_deref()
        .or(ticket.sys_id.as_deref())
        .unwrap_or("the ticket");
    let hidden = Attention::NotVisible {
        table: ticket.kind.table(),
        number,
    };
    Wish::of(request.id, "ticket.not_visible").raise(hidden)
}

/// The name of the cadence.
fn name(connection: &str, table: &str) -> String {
    format!("reconcile:{connection}:{table}")
}

fn next_page(run: &Run<'_>, connection: &str, table: &str, after: Uuid) -> NewJob {
    NewJob {
        payload: Payload::GetTicketStatus(StatusRead::Reconcile {
            connection: connection.to_owned(),
            table: table.to_owned(),
            after: Some(after),
        }),
        connection: Some(connection.to_owned()),
        request_id: None,
        priority: 4,
        due_at: run.now(),
        // The key of the cadence: until the run has ended no other one begins.
        dedup_key: Some(name(connection, table)),
        traceparent: run.job.traceparent.clone(),
    }
}

fn dropped_condition(seat: &Seat<'_>) -> Outcome {
    let what = "brought rows that were not asked for: the instance dropped the condition on sys_id; give the account query access to \
                that column";
    park(seat, "untrustworthy", what)
}

fn nothing_visible(seat: &Seat<'_>, open: usize) -> Outcome {
    let what = format!(
        "shows none of {open} open tickets: the account has lost read access to the table, or to its rows"
    );
    park(seat, "nothing_visible", &what)
}

fn park(seat: &Seat<'_>, class: &'static str, what: &str) -> Outcome {
    let table = seat.table.name();
    Outcome::Park {
        scope: Some(Scope::Table(table.to_owned())),
        class,
        reason: format!("{table} {what}"),
    }
}
