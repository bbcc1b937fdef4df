//! Running a plan over a table.

use super::order::sort;
use super::plan::Plan;
use crate::dice::Dice;
use crate::world::{Act, Seen, World};

/// All rows that match, in the plan's order. Ties, and everything when there is no order, come
/// shuffled: offset paging without a total order must fail in tests (wire contract 16.1).
/// Row ACLs are not applied here.
pub(crate) fn select<'w>(
    world: &'w World,
    act: &Act<'_>,
    table: &'w str,
    plan: &Plan,
    dice: &mut Dice,
) -> Vec<Seen<'w>> {
    let narrow = plan.narrow();
    let narrow =
        narrow.and_then(|(column, values)| world.candidates(table, column, values, act.now));
    let mut rows = narrow.unwrap_or_else(|| world.scan(table, act.now).collect());
    rows.retain(|row| plan.matches(world, row.fields));
    dice.shuffle(&mut rows);
    sort(world, &plan.order, &mut rows);
    rows
}
