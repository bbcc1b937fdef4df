//! Sorting: by raw value of the column's kind, references by what they display, empty first.

use std::cmp::Ordering;

use super::path::Path;
use super::test::compare;
use crate::world::column::Kind;
use crate::world::{Seen, World};

/// Sorts rows by the given columns and leaves ties as they are.
pub(crate) fn sort(world: &World, order: &[(Path, bool)], rows: &mut Vec<Seen<'_>>) {
    if order.is_empty() {
        return;
    }
    let keys = |row: &Seen<'_>| -> Vec<String> {
        order
            .iter()
            .map(|(path, _)| path.text(world, row.fields).into_owned())
            .collect()
    };
    let kinds: Vec<Kind> = order
        .iter()
        .map(|(path, _)| {
            path.definition(world)
                .map_or(Kind::Text, |column| column.kind)
        })
        .collect();
    let mut keyed: Vec<(Vec<String>, Seen<'_>)> =
        rows.drain(..).map(|row| (keys(&row), row)).collect();
    keyed.sort_by(|(left, _), (right, _)| {
        let columns = order.iter().zip(&kinds).zip(left.iter().zip(right));
        columns.fold(
            Ordering::Equal,
            |sofar, (((_, descending), kind), (left, right))| {
                sofar.then_with(|| {
                    let order = compare(*kind, left, right).unwrap_or_else(|| left.cmp(right));
                    if *descending { order.reverse() } else { order }
                })
            },
        )
    });
    rows.extend(keyed.into_iter().map(|(_, row)| row));
}
