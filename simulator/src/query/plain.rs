//! `<field>=<value>` parameters: equality filters that also take labels and display names.

use super::path::Path;
use super::test::Test;
use crate::refusal::Refusal;
use crate::world::column::{Column, Kind};
use crate::world::{Act, World};

/// A filter from a parameter whose name is a column of `table`; `None` when it is not one.
pub(crate) fn plain_filter(
    world: &World,
    act: &Act<'_>,
    table: &str,
    name: &str,
    value: &str,
) -> Option<Result<Test, Refusal>> {
    let path = Path::find(world, table, name)?;
    if path
        .steps(table)
        .any(|(table, column)| !world.sees_field(act, table, column))
    {
        return Some(Err(Refusal::QueryRights));
    }
    let column = path.definition(world)?;
    let raw = raw_value(world, &path, column, value)
        .unwrap_or_else(|| super::literal::read(act, column.kind, value));
    let kind = column.kind;
    Some(Ok(Test::equals(path, kind, &raw)))
}

/// What a label or a display name stands for.
fn raw_value(world: &World, path: &Path, column: &Column, value: &str) -> Option<String> {
    match column.kind {
        Kind::Choice | Kind::IntChoice => {
            let found = world
                .choices
                .by_label(&world.dictionary, &path.table, &path.column, value);
            found.map(str::to_owned)
        }
        Kind::Reference => world.find_by_display(column.reference.as_deref()?, value),
        _ => None,
    }
}
