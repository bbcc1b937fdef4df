//! The encoded query language (wire contract 2.3): text → [`Query`] → [`Plan`] → rows.
//!
//! [`parse`] only knows grammar. [`Plan::new`] looks the fields up, applies what unknown and
//! forbidden fields do, and reads the literals in the caller's zone. [`select`] runs a plan.

mod date_part;
mod literal;
mod operator;
mod order;
mod parse;
pub(crate) mod path;
mod plain;
mod plan;
#[cfg(test)]
mod properties;
mod related;
mod script;
mod select;
mod span;
mod test;

pub(crate) use operator::{Operator, SPELLINGS};
pub(crate) use parse::{Term, parse};
pub(crate) use plain::plain_filter;
pub(crate) use plan::Plan;
pub(crate) use select::select;
pub(crate) use test::compare;

use crate::world::{Act, Fields, World};

/// Whether one row, stored or about to be, matches an encoded query as the instance itself
/// evaluates it (conditions of rules and ACLs): no field is hidden from it.
pub(crate) fn matches(
    world: &World,
    act: &Act<'_>,
    class: &str,
    fields: &Fields,
    text: &str,
) -> bool {
    let system = crate::world::Actor::system();
    let act = Act {
        actor: &system,
        ..*act
    };
    Plan::new(world, &act, class, &parse(text)).is_ok_and(|plan| plan.matches(world, fields))
}
