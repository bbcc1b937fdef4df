//! `sysparm_order_by=AVG^state,state^DESC,COUNT^…`: groups by a measure or by a group column.

use std::cmp::Ordering;

use super::{Group, having};
use crate::query::compare;
use crate::query::path::Path;
use crate::world::World;
use crate::world::column::Kind;

const AGGREGATES: &[&str] = &["COUNT", "AVG", "MIN", "MAX", "SUM"];

/// Sorts groups; ties keep the order of their values.
pub(super) fn sort(world: &World, table: &str, order_by: Option<&str>, groups: &mut [Group<'_>]) {
    let Some(order_by) = order_by else { return };
    let keys: Vec<&str> = order_by.split(',').collect();
    groups.sort_by(|left, right| {
        keys.iter().fold(Ordering::Equal, |sofar, key| {
            sofar.then_with(|| by_key(world, table, key, left, right))
        })
    });
}

fn by_key(world: &World, table: &str, key: &str, left: &Group<'_>, right: &Group<'_>) -> Ordering {
    let mut parts: Vec<&str> = key.split('^').map(str::trim).collect();
    let descending = parts.last() == Some(&"DESC");
    if descending || parts.last() == Some(&"ASC") {
        parts.pop();
    }
    let order = match parts.as_slice() {
        [aggregate, rest @ ..] if AGGREGATES.contains(aggregate) => {
            let field = rest.first().copied().unwrap_or_default();
            let of =
                |group: &Group<'_>| having::measure(world, table, aggregate, field, &group.rows);
            of(left).partial_cmp(&of(right)).unwrap_or(Ordering::Equal)
        }
        [field, ..] => by_value(world, table, field, left, right),
        [] => Ordering::Equal,
    };
    if descending { order.reverse() } else { order }
}

fn by_value(
    world: &World,
    table: &str,
    field: &str,
    left: &Group<'_>,
    right: &Group<'_>,
) -> Ordering {
    let Some(path) = Path::find(world, table, field) else {
        return Ordering::Equal;
    };
    let of = |group: &Group<'_>| {
        let first = group.rows.first();
        first.map_or(String::new(), |row| path.text(world, row).into_owned())
    };
    let kind = path
        .definition(world)
        .map_or(Kind::Text, |column| column.kind);
    let (left, right) = (of(left), of(right));
    compare(kind, &left, &right).unwrap_or_else(|| left.cmp(&right))
}
