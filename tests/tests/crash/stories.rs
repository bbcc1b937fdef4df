//! Stories that together come to every crash point. Each is short, because it is told once for every time it comes to a point.

use shared::crash::Point;
use tests::chaos::points::fault::Fault;
use tests::chaos::points::plan::{Deed, Step};
use tests::chaos::points::process::Role;
use tests::chaos::points::world::Kill;

use Step::{Agent, Ask, EmptyRedis, GiveUp, Look, Pass, Say};

/// ServiceNow decides: a ticket, a comment, a note, work and an end.
pub(crate) fn mirrored() -> Vec<Step> {
    vec![
        Ask("access"),
        Look(false),
        Say(0, "comment", true),
        Say(0, "approved", false),
        Look(false),
        Agent(0, Deed::Assign),
        Agent(0, Deed::Resume),
        Pass(31),
        Look(false),
        Agent(0, Deed::Resolve),
        Pass(31),
        Look(true),
    ]
}

/// The source decides: its words are written to the ticket, and its comment.
pub(crate) fn written() -> Vec<Step> {
    vec![
        Ask("owned"),
        Look(false),
        Say(0, "in_progress", true),
        Look(false),
        Say(0, "fulfilled", false),
        Look(false),
    ]
}

/// An order of a catalog item.
pub(crate) fn ordered() -> Vec<Step> {
    vec![
        Ask("order"),
        Look(false),
        Say(0, "withdrawn", true),
        Look(false),
    ]
}

/// The instance asks for quiet; then one job goes first.
pub(crate) fn held() -> Vec<Step> {
    vec![
        Step::Fault(Fault::RateLimited),
        Ask("task"),
        Ask("task"),
        Look(false),
        Pass(40),
        Look(false),
    ]
}

/// Redis loses its bells, and a worker dies with a job in hand.
pub(crate) fn rescued() -> Vec<Step> {
    vec![
        Ask("access"),
        EmptyRedis,
        Pass(6),
        Look(false),
        Step::Kill(Kill {
            role: Role::Worker,
            point: Point::RunEnded,
            nth: 0,
        }),
        Say(0, "comment", true),
        Look(false),
        Pass(9),
        Look(false),
    ]
}

/// A ticket that stays open for too long.
pub(crate) fn given_up() -> Vec<Step> {
    vec![
        Ask("task"),
        Look(false),
        Pass(11 * 86_400),
        Look(false),
        GiveUp,
        Look(false),
    ]
}

/// All of them.
pub(crate) fn all() -> [Vec<Step>; 6] {
    [
        mirrored(),
        written(),
        ordered(),
        held(),
        rescued(),
        given_up(),
    ]
}
