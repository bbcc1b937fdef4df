//! What rows of a list say about the tickets they are.

use std::collections::HashMap;

use servicenow_client::Record;
use shared::request::Request;
use shared::route::{Mastery, Route};
use shared::store::tickets;
use shared::ticket::Ticket;

use super::super::case::Seat;
use super::super::{again, mirror};
use crate::attention::Attention;
use crate::effects::{Effects, Noted, Subject, TicketChange, WhenStale, Wish};
use crate::outcome::Ran;
use crate::run::Run;

/// Adds what `rows` change. Rows that are no ticket of ours are left alone.
pub(super) async fn apply(
    run: &Run<'_>,
    seat: &Seat<'_>,
    rows: &[Record],
    effects: &mut Effects,
) -> Ran<()> {
    let ids: Vec<String> = rows
        .iter()
        .filter_map(|row| row.sys_id().map(str::to_owned))
        .collect();
    let conn = run.ctx.store.conn();
    let known = tickets::with_sys_ids(conn, &seat.connection.name, seat.table.name(), &ids).await?;
    // A row that changed while a page was read may stand in it twice; the later one is newer.
    let by_id: HashMap<&str, &Record> = rows
        .iter()
        .filter_map(|row| Some((row.sys_id()?, row)))
        .collect();
    for (ticket, request) in &known {
        let row = ticket.sys_id.as_deref().and_then(|id| by_id.get(id));
        if let Some(row) = row {
            one(run, ticket, request, row, effects);
        }
    }
    Ok(())
}

/// Adds what one row changes.
pub(in crate::jobs) fn one(
    run: &Run<'_>,
    ticket: &Ticket,
    request: &Request,
    row: &Record,
    effects: &mut Effects,
) {
    let Some(route) = run.ctx.routes.by_name(&request.route) else {
        return;
    };
    if mirror::is_known(ticket, row) {
        effects
            .subjects
            .extend(unchanged(run, route, ticket, request));
        return;
    }
    let after = mirror::observe(route, ticket, row, run.now());
    if !ticket.exists {
        // The answer to its create was lost, and nobody will link it after this: what the source has said meanwhile follows.
        let wish = mirror::first_state(route, request, &after, row);
        effects.jobs.push(run.follow(request.id));
        effects.subjects.push(subject(ticket, after, Some(wish)));
        return;
    }
    let wish = match route.mastery {
        Mastery::Servicenow => mirror::next_state(route, request, ticket, &after, row),
        Mastery::Source => {
            let other = Other {
                route,
                ticket,
                request,
                after: &after,
                row,
            };
            owned_by_source(run, &other, effects)
        }
    };
    let after = settle(route, request, after);
    effects.subjects.push(subject(ticket, after, wish));
}

/// One row of a ticket whose request the source decides.
struct Other<'a> {
    route: &'a Route,
    ticket: &'a Ticket,
    request: &'a Request,
    after: &'a Ticket,
    row: &'a Record,
}

/// Somebody changed the state in ServiceNow: the owner's value is kept, the other is put on record, and the ticket is written once
/// more. Once: whoever insists is shown to a human instead of being fought (T11).
fn owned_by_source(run: &Run<'_>, it: &Other<'_>, effects: &mut Effects) -> Option<Wish> {
    let wish = Wish {
        actor: mirror::actor(it.row),
        ..Wish::of(it.request.id, "ticket.conflict")
    };
    // The state is as it was: it lags behind the source, or something else changed.
    if it.after.state == it.ticket.state && it.after.approval == it.ticket.approval {
        return None;
    }
    let Some(said) = mirror::contradiction(it.route, it.request, it.after) else {
        // Work on the ticket does not end a conflict that was told; that it shows the owner's value does.
        let agreed = mirror::shows(it.route, it.after, it.request.state)
            && Attention::CONFLICT.wrote(it.request.attention.as_deref());
        return Some(wish.lower_if(agreed || mirror::is_understood(it.request)));
    };
    effects.audit.push(conflict(it, &said));
    let owner = it.request.state.to_string();
    let flag = String::from(Attention::Conflict {
        owner: &owner,
        other: &said,
    });
    if it.request.attention.as_deref() != Some(&flag) {
        effects.jobs.push(run.follow(it.request.id));
    }
    Some(wish.raise(flag))
}

fn conflict(it: &Other<'_>, said: &str) -> Noted {
    Noted {
        actor: mirror::actor(it.row),
        action: "ticket.conflict",
        subject_kind: "request",
        subject_id: it.request.id.to_string(),
        from: Some(it.request.state.to_string()),
        to: Some(said.to_owned()),
        reason: format!(
            "route `{}` has mastery source: the request stays {}, the ticket said {said}",
            it.route.name, it.request.state
        ),
    }
}

/// A ticket that shows the final state of its request needs no more looking at, whatever else was noted on the request since.
fn settle(route: &Route, request: &Request, ticket: Ticket) -> Ticket {
    let shown = mirror::shows(route, &ticket, request.state);
    if request.state.is_final() && shown && ticket.written_version.is_some() {
        return Ticket {
            written_version: Some(request.version),
            ..ticket
        };
    }
    ticket
}

/// A row that tells nothing new may still end the looking, or a worry; or another map has decided on it than the one that holds now.
fn unchanged(run: &Run<'_>, route: &Route, ticket: &Ticket, request: &Request) -> Option<Subject> {
    if run.ctx.maps.hold(&route.name) && again::is_due(route, ticket) {
        let decided = mirror::decided(route, ticket.clone(), run.now());
        let wish = again::wish(route, request, &decided);
        return Some(subject(ticket, settle(route, request, decided), wish));
    }
    let after = settle(route, request, ticket.clone());
    let wish = Wish::of(request.id, "ticket.visible").lower_if(mirror::is_visible_again(request));
    (!wish.is_empty() || after != *ticket).then(|| subject(ticket, after, Some(wish)))
}

pub(in crate::jobs) fn subject(before: &Ticket, after: Ticket, wish: Option<Wish>) -> Subject {
    Subject {
        ticket: Some(TicketChange {
            before: before.clone(),
            after,
            when_stale: WhenStale::Skip,
        }),
        wish,
        follow: None,
    }
}
