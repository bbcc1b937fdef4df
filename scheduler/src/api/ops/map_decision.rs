//! How the state map of a route decided on a ticket: what was seen, which entry applied, what it gave, and what to add where none did.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::request::{Request, RequestState};
use shared::route::{Mastery, Route};
use shared::state_map::{Decided, StateMap};
use shared::store::state_maps::KnownMap;
use shared::ticket::Ticket;
use utoipa::ToSchema;

use crate::api::request_view::StateWord;

/// How the state map decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MapDecision)]
pub(crate) struct MapDecisionView {
    /// The route whose map was asked.
    pub(crate) route: String,
    /// Who decides where a request of this route stands: `servicenow` or `source`.
    pub(crate) mastery: &'static str,
    /// `state` of the ticket as it was last read or written, raw.
    pub(crate) state: Option<String>,
    /// `approval`, raw.
    pub(crate) approval: Option<String>,
    /// `close_code`, raw.
    pub(crate) close_code: Option<String>,
    /// When the ticket was last read with something new.
    pub(crate) seen_at: Option<DateTime<Utc>>,
    /// The entry of the map that decided; null when none did, or when it was not kept yet.
    #[schema(example = "states_in.\"2\" of the built-in map")]
    pub(crate) rule: Option<String>,
    /// The state that it gave; null when the value was not mapped.
    #[schema(value_type = Option<StateWord>)]
    pub(crate) gave: Option<RequestState>,
    /// When the map was asked; null when that was before such decisions were kept.
    pub(crate) decided_at: Option<DateTime<Utc>>,
    /// What came of it, in words.
    pub(crate) outcome: String,
    /// What the present configuration says, where that differs from what was decided.
    pub(crate) present: Option<PresentMap>,
    /// Where the present configuration does not map the value: the lines that would, with the new state still to be chosen.
    pub(crate) add: Option<String>,
}

/// What the present configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PresentMap {
    /// The entry that would decide; null when there is none.
    pub(crate) rule: Option<String>,
    /// The state that it gives; null when the value is not mapped.
    #[schema(value_type = Option<StateWord>)]
    pub(crate) gives: Option<RequestState>,
    /// When that will be applied, in words.
    pub(crate) next: String,
}

/// The decision on a ticket; nothing while there is no ticket, or when its route has left the configuration.
pub(crate) fn of(
    request: &Request,
    ticket: Option<&Ticket>,
    route: Option<&Route>,
    known: &[KnownMap],
    now: DateTime<Utc>,
) -> Option<MapDecisionView> {
    let ticket = ticket.filter(|ticket| ticket.exists)?;
    let route = route?;
    let today = route.states.decide(&ticket.observed(), now);
    let decided = ticket.decided.as_ref();
    let differs = decided.is_none_or(|it| (&it.rule, it.state) != (&today.rule, today.state));
    Some(MapDecisionView {
        route: route.name.clone(),
        mastery: route.mastery.as_str(),
        state: ticket.state.clone(),
        approval: ticket.approval.clone(),
        close_code: ticket.close_code.clone(),
        seen_at: ticket.checked_at,
        rule: decided.and_then(|it| it.rule.clone()),
        gave: decided.and_then(|it| it.state),
        decided_at: decided.map(|it| it.at),
        outcome: outcome(request, ticket, route),
        present: differs.then(|| PresentMap {
            next: next(request, ticket, known, route),
            rule: today.rule.clone(),
            gives: today.state,
        }),
        add: today
            .state
            .is_none()
            .then(|| lines(&route.states, ticket.observed().state)),
    })
}

fn outcome(request: &Request, ticket: &Ticket, route: &Route) -> String {
    let stands = spoken(request.state);
    let Some(Decided { state, .. }) = &ticket.decided else {
        return format!(
            "The ticket was last read before decisions were kept. The request is {stands}."
        );
    };
    let Some(gave) = state else {
        let value = ticket.observed().state;
        return format!(
            "The map did not know the state `{value}`, so the request stays {stands}: nothing is guessed."
        );
    };
    let said = spoken(*gave);
    if *gave == request.state {
        return format!("The map says {said}, and so does the request.");
    }
    if request.state.is_final() {
        return format!(
            "The map says {said}. The request has ended before as {stands}, and an ended request is never moved."
        );
    }
    match route.mastery {
        Mastery::Source => format!(
            "The map says {said}, but the source decides on this route: the request stays {stands}."
        ),
        Mastery::Servicenow if !request.state.may_become(*gave) => format!(
            "The map says {said}, but a request that is {stands} cannot become that: it stays as it is."
        ),
        Mastery::Servicenow => format!("The map says {said}; the request is {stands}."),
    }
}

/// When the present map will be applied. The worker that started last says which one holds.
fn next(request: &Request, ticket: &Ticket, known: &[KnownMap], route: &Route) -> String {
    if request.state.is_final() {
        return "Nothing: the request has ended, and an ended request is never moved.".to_owned();
    }
    if ticket.given_up_at.is_some() {
        return "Nothing: the ticket is no longer looked at.".to_owned();
    }
    let map = known.iter().find(|it| it.route == route.name);
    match map {
        Some(map) if map.fingerprint == route.states.fingerprint() => {
            "A worker applies it within seconds, without a call to ServiceNow.".to_owned()
        }
        _ => "The workers do not have this map yet: start them anew with the present configuration, and they apply it within seconds."
            .to_owned(),
    }
}

/// `states_in` replaces the built-in map, so that the whole of it has to be written down.
fn lines(map: &StateMap, value: &str) -> String {
    let mut lines = "[routes.states_in]\n".to_owned();
    for (known, state) in map.states_in() {
        line(&mut lines, known, state.as_str());
    }
    line(
        &mut lines,
        value,
        "open, in_progress, on_hold, fulfilled, denied or cancelled",
    );
    lines
}

fn line(lines: &mut String, value: &str, state: &str) {
    // Rust escapes a text as TOML does, where it holds nothing but what a column of ServiceNow can hold.
    writeln!(lines, "{value:?} = {state:?}").expect("writing to a string cannot fail");
}

fn spoken(state: RequestState) -> String {
    state.as_str().replace('_', " ")
}
