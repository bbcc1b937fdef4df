//! What a changed map of a route makes of a ticket whose values are as they were.

use shared::request::Request;
use shared::route::{Mastery, Route};
use shared::ticket::Ticket;

use super::mirror;
use crate::attention::Attention;
use crate::effects::{Flag, Wish};

/// Whether another map than this one was asked last about a ticket that is there and still looked at.
pub(crate) fn is_due(route: &Route, ticket: &Ticket) -> bool {
    let map = ticket.decided.as_ref().map(|it| it.map.as_str());
    let is_seen = ticket.exists && ticket.given_up_at.is_none();
    is_seen && map != Some(route.states.fingerprint())
}

/// What the request should become; nothing where it has ended, for an end is never left.
pub(crate) fn wish(route: &Route, request: &Request, ticket: &Ticket) -> Option<Wish> {
    if request.state.is_final() {
        return None;
    }
    let wish = Wish::of(request.id, "ticket.decided_again");
    match route.mastery {
        // Whether the ticket can be seen is not known here.
        Mastery::Servicenow if mirror::is_visible_again(request) => Some(Wish {
            flag: Flag::Keep,
            ..mirror::stands(route, request, ticket, wish)
        }),
        Mastery::Servicenow => Some(mirror::stands(route, request, ticket, wish)),
        Mastery::Source => owned_by_source(route, request, ticket, wish),
    }
}

/// The source decides: what the map says can only end a worry, or show that ticket and request contradict each other. Nothing is
/// written to the ticket for it: nobody has touched it.
fn owned_by_source(route: &Route, request: &Request, ticket: &Ticket, wish: Wish) -> Option<Wish> {
    let flag = request.attention.as_deref();
    match mirror::contradiction(route, request, ticket) {
        None => {
            let settled = Attention::CONFLICT.wrote(flag) || mirror::is_unmapped(request);
            settled.then(|| wish.lower_if(true))
        }
        // A conflict that is known is told in the words of the new map; no flag of another kind is taken away for it.
        Some(said) if flag.is_none() || Attention::CONFLICT.wrote(flag) => {
            let owner = request.state.to_string();
            Some(wish.raise(Attention::Conflict {
                owner: &owner,
                other: &said,
            }))
        }
        Some(_) => None,
    }
}
