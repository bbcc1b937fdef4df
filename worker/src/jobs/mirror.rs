//! How a record of ServiceNow shows in our ticket and in the state of its request (T9, T11).

use chrono::{DateTime, TimeDelta, Utc};
use servicenow_client::{DifferenceKind, Fields, Record};
use shared::request::{Request, RequestState};
use shared::route::{Mastery, Route};
use shared::state_map::{Mapped, Unmapped};
use shared::store::audit::Actor;
use shared::ticket::Ticket;

use crate::attention::Attention;
use crate::effects::Wish;

/// Columns that are read of a ticket; those that a table lacks, or that the account may not read, simply do not come.
pub(crate) const COLUMNS: [&str; 16] = [
    "sys_id",
    "number",
    "state",
    "approval",
    "stage",
    "close_code",
    "close_notes",
    "assigned_to.name",
    "assignment_group.name",
    "sys_class_name",
    "sys_mod_count",
    "sys_created_on",
    "sys_updated_on",
    "sys_updated_by",
    "correlation_id",
    "correlation_display",
];

/// The ticket as `row` shows it, and what the map of its route says of that.
pub(crate) fn observe(route: &Route, ticket: &Ticket, row: &Record, now: DateTime<Utc>) -> Ticket {
    // A column that did not come says nothing; one that came empty says empty.
    let text = |field: &str, known: &Option<String>| match row.get(field) {
        None => known.clone(),
        Some(value) => (!value.is_empty()).then(|| value.to_owned()),
    };
    let seen = Ticket {
        exists: true,
        sys_id: row
            .sys_id()
            .map(str::to_owned)
            .or_else(|| ticket.sys_id.clone()),
        number: text("number", &ticket.number),
        state: text("state", &ticket.state),
        approval: text("approval", &ticket.approval),
        stage: text("stage", &ticket.stage),
        close_code: text("close_code", &ticket.close_code),
        close_notes: text("close_notes", &ticket.close_notes),
        assigned_to: text("assigned_to.name", &ticket.assigned_to),
        assignment_group: text("assignment_group.name", &ticket.assignment_group),
        mod_count: mod_count(row).or(ticket.mod_count),
        remote_updated_on: text("sys_updated_on", &ticket.remote_updated_on),
        checked_at: Some(now),
        ..ticket.clone()
    };
    decided(route, seen, now)
}

/// The ticket with what the map of its route says of it.
pub(crate) fn decided(route: &Route, ticket: Ticket, now: DateTime<Utc>) -> Ticket {
    Ticket {
        decided: Some(route.states.decide(&ticket.observed(), now)),
        ..ticket
    }
}

/// A replica lags behind for no longer than this.
const LAG: TimeDelta = TimeDelta::minutes(5);

/// Whether the ticket showed something new a moment ago: then it is not gone when it cannot be seen, the replica that was asked may
/// lag behind.
pub(crate) fn seen_lately(ticket: &Ticket, now: DateTime<Utc>) -> bool {
    ticket.checked_at.is_some_and(|at| now - at < LAG)
}

/// `sys_mod_count` of a row.
pub(crate) fn mod_count(row: &Record) -> Option<i64> {
    row.get("sys_mod_count")?.parse().ok()
}

/// Whether `row` tells nothing that the ticket does not know: it is the echo of our own write, was read before, or comes from a
/// replica that lags behind (T12).
pub(crate) fn is_known(ticket: &Ticket, row: &Record) -> bool {
    if !ticket.exists {
        return false;
    }
    match (ticket.mod_count, mod_count(row)) {
        (Some(known), Some(seen)) if seen != known => seen < known,
        _ => ticket.remote_updated_on.as_deref() == row.get("sys_updated_on"),
    }
}

/// What the map of the route makes of a ticket.
pub(crate) fn mapped(route: &Route, ticket: &Ticket) -> Mapped {
    route.states.read(&ticket.observed())
}

/// What a ticket says against the state of a request that its source decides; `None` when they agree.
pub(crate) fn contradiction(route: &Route, request: &Request, ticket: &Ticket) -> Option<String> {
    match mapped(route, ticket) {
        _ if shows(route, ticket, request.state) => None,
        // The source has said nothing yet but that it asks: work on the ticket contradicts nobody.
        Mapped::To(state) if request.state == RequestState::Open && !state.is_final() => None,
        Mapped::To(state) => Some(state.to_string()),
        Mapped::Unmapped { field, value } => Some(format!("{field} {value}")),
    }
}

/// Whether a ticket stands where `state` puts it: it means that state, or it has the value that is written for it, which may mean
/// several.
pub(crate) fn shows(route: &Route, ticket: &Ticket, state: RequestState) -> bool {
    let written = route.states.value_out(state);
    mapped(route, ticket) == Mapped::To(state)
        || (written.is_some() && written == ticket.state.as_deref())
}

/// Who changed a row.
pub(crate) fn actor(row: &Record) -> Actor {
    match row.get("sys_updated_by").filter(|user| !user.is_empty()) {
        Some(user) => Actor::ServiceNow(user.to_owned()),
        None => Actor::System("worker"),
    }
}

/// What a new ticket says about its request: the first state after `accepted` and `opening`.
pub(crate) fn first_state(route: &Route, request: &Request, ticket: &Ticket, row: &Record) -> Wish {
    let wish = Wish {
        only_from: &[RequestState::Accepted, RequestState::Opening],
        ..Wish::of(request.id, "ticket.created")
    }
    .lower_if(is_visible_again(request));
    match (route.mastery, mapped(route, ticket)) {
        (Mastery::Source, _) => wish.enter(RequestState::Open, None),
        (Mastery::Servicenow, Mapped::To(state)) => Wish {
            actor: actor(row),
            ..wish.enter(state, reason(state, ticket))
        },
        (Mastery::Servicenow, Mapped::Unmapped { field, value }) => {
            let unmapped = Attention::Unmapped(Unmapped {
                route: &route.name,
                field,
                value: &value,
            });
            wish.enter(RequestState::Open, None).raise(unmapped)
        }
    }
}

/// What a changed ticket says about a request whose state ServiceNow decides. `before` is the ticket as it was known.
pub(crate) fn next_state(
    route: &Route,
    request: &Request,
    before: &Ticket,
    after: &Ticket,
    row: &Record,
) -> Option<Wish> {
    let wish = Wish {
        actor: actor(row),
        ..Wish::of(request.id, "ticket.changed")
    };
    let Mapped::To(state) = mapped(route, after) else {
        return Some(stands(route, request, after, wish));
    };
    if request.state.is_final() {
        let was_final = matches!(mapped(route, before), Mapped::To(state) if state.is_final());
        let reopened = Attention::Reopened {
            state: after.state.as_deref().unwrap_or_default(),
        };
        return (was_final && !state.is_final()).then(|| wish.raise(reopened));
    }
    Some(stands(route, request, after, wish))
}

/// A request that has not ended enters the state that its ticket means; a value that means none is flagged.
pub(crate) fn stands(route: &Route, request: &Request, ticket: &Ticket, wish: Wish) -> Wish {
    match mapped(route, ticket) {
        Mapped::To(state) => wish
            .lower_if(is_understood(request))
            .enter(state, reason(state, ticket)),
        Mapped::Unmapped { field, value } => wish.raise(Attention::Unmapped(Unmapped {
            route: &route.name,
            field,
            value: &value,
        })),
    }
}

/// An unmapped value, or a record that was out of sight, is flagged no longer once the ticket reads again.
pub(crate) fn is_understood(request: &Request) -> bool {
    is_unmapped(request) || is_visible_again(request)
}

/// Whether a value that the map of its route does not know is what a request is flagged for.
pub(crate) fn is_unmapped(request: &Request) -> bool {
    Attention::UNMAPPED.wrote(request.attention.as_deref())
}

/// A record that was out of sight, or of which nobody knew whether it is there, is flagged no longer once it is seen.
pub(crate) fn is_visible_again(request: &Request) -> bool {
    let flag = request.attention.as_deref();
    Attention::NOT_VISIBLE.wrote(flag) || Attention::MayExist("").wrote(flag)
}

/// Why a ticket is closed, in the words of whoever closed it.
pub(crate) fn reason(state: RequestState, ticket: &Ticket) -> Option<String> {
    if !state.is_final() {
        return None;
    }
    let notes = ticket.close_notes.clone();
    let code = ticket.close_code.clone();
    let rejected = (ticket.approval.as_deref() == Some("rejected"))
        .then(|| "The approval was rejected in ServiceNow.".to_owned());
    match (rejected, notes) {
        (Some(rejected), Some(notes)) => Some(format!("{rejected} {notes}")),
        (rejected, notes) => rejected.or(notes).or(code),
    }
}

/// The columns that did not come back as they were sent, in words. Another id is no loss: it is adopted.
pub(crate) fn dropped(fields: &Fields, echo: &Record) -> String {
    let lost = echo.differences(fields);
    let told = lost
        .iter()
        .filter(|it| it.field != "sys_id")
        .map(|it| match it.kind() {
            DifferenceKind::Absent => format!("`{}` (not there, or not readable)", it.field),
            DifferenceKind::Dropped => format!("`{}`", it.field),
            DifferenceKind::Truncated => format!("`{}` (cut)", it.field),
            DifferenceKind::Changed => format!("`{}` (changed)", it.field),
        });
    told.collect::<Vec<_>>().join(", ")
}
