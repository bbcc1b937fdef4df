//! `create_ticket.v1`: exactly one ticket for a request (T1, T2, T6, T16, T21; ARCHITECTURE.md, invariant 1).

use std::time::Duration;

use chrono::{DateTime, Utc};
use servicenow_client::{Fields, Record};
use shared::budget::Class;
use shared::request::RequestState;
use shared::template::FieldProblem;
use shared::ticket::{Ticket, TicketKind};
use uuid::Uuid;

use super::case::Case;
use super::mirror;
use crate::attention::Attention;
use crate::effects::{Effects, Flag, Subject, Wish};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;

mod catalog;
mod find;
mod person;
mod table;

/// When to look for a ticket after an unclear answer; an insert may be under way for a minute (wire contract 12.2).
const LOOKS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(65),
];

pub(super) async fn run(run: &Run<'_>, request_id: Uuid) -> Ran {
    let mut case = Case::load(run, Class::Create, request_id).await?;
    if case.ticket.exists {
        return Ok(Finished::default());
    }
    match case.ticket.kind.clone() {
        TicketKind::Table(_) => table::create(run, &mut case).await,
        TicketKind::CatalogItem(item) => catalog::order(run, &mut case, &item).await,
    }
}

/// Whether an earlier run may have reached the instance.
fn may_be_there(run: &Run<'_>, ticket: &Ticket) -> bool {
    run.job.lease.token > 1 || ticket.maybe_sent_at.is_some()
}

/// Nothing was found: puts the next look off until `enough` time has passed since the last send that may have arrived. Before
/// that no second one goes out.
fn wait_out(run: &Run<'_>, ticket: &Ticket, enough: Duration) -> Ran<()> {
    let Some(sent) = ticket.maybe_sent_at else {
        return Ok(());
    };
    let since = (run.now() - sent).to_std().unwrap_or_default();
    if since >= enough {
        return Ok(());
    }
    let next = LOOKS
        .into_iter()
        .chain([enough])
        .find(|look| *look > since)
        .unwrap_or(enough);
    Err(Outcome::Retry {
        class: "not_visible_yet",
        after: Some(next.saturating_sub(since)),
        message: format!(
            "no ticket is visible {} s after a send that may have arrived; nothing is sent again before {} s",
            since.as_secs(),
            enough.as_secs()
        ),
    }
    .into())
}

/// A request that ended before anything was sent needs no ticket.
fn still_wanted(case: &Case<'_>) -> Ran<()> {
    if case.request.state.is_final() {
        return Err(Box::default());
    }
    Ok(())
}

/// The columns or variables of the ticket; a template that does not render, or text that does not fit, denies the request.
fn render(run: &Run<'_>, case: &Case<'_>) -> Ran<Fields> {
    match case.route.render(&case.input(run)) {
        Ok(rendered) => Ok(rendered.into_iter().collect()),
        Err(problems) => Err(Outcome::dead("template", told(&problems)).into()),
    }
}

fn told(problems: &[FieldProblem]) -> String {
    let told = |it: &FieldProblem| format!("{}: {} ({})", it.column, it.problem, it.fix);
    problems.iter().map(told).collect::<Vec<_>>().join("; ")
}

/// An answer that leaves open whether a ticket was made: the request is `opening` and the moment is on record.
fn unclear(case: &Case<'_>, sent: DateTime<Utc>) -> Subject {
    let after = Ticket {
        maybe_sent_at: Some(sent),
        ..case.ticket.clone()
    };
    let wish = Wish::of(case.request.id, "ticket.unclear").enter(RequestState::Opening, None);
    case.subject(after, Some(wish))
}

/// The ticket is there: links it, and lets the request follow its state. What the request became meanwhile is written to the
/// ticket by a job of its own.
fn link(
    run: &Run<'_>,
    case: &Case<'_>,
    known: &Ticket,
    row: &Record,
    attention: Option<Attention<'_>>,
) -> Effects {
    let after = mirror::observe(case.route, known, row, run.now());
    let mut wish = mirror::first_state(case.route, &case.request, &after, row);
    if let Some(attention) = attention {
        wish = wish.raise(attention);
    } else if wish.flag == Flag::Keep {
        let parked = Attention::Parked("").wrote(case.request.attention.as_deref());
        wish = wish.lower_if(parked);
    }
    let mut effects = Effects::of(Subject {
        follow: Some(case.request.clone()),
        ..case.subject(after, Some(wish))
    });
    // The request moved before this run read it: by its source, while no ticket was there to show it.
    let moved = !matches!(
        case.request.state,
        RequestState::Accepted | RequestState::Opening
    );
    if moved {
        effects.jobs.push(run.follow(case.request.id));
    }
    effects
}
