//! `sysparm_having=count^priority^>^3,…`: conditions on the measures of a group.

use super::aggregate::Measure;
use crate::query::path::Path;
use crate::world::{Fields, World};

/// Whether a group meets all conditions; a condition that cannot be read is none.
pub(super) fn holds(world: &World, table: &str, having: Option<&str>, rows: &[&Fields]) -> bool {
    let conditions = having.unwrap_or_default().split(',');
    conditions
        .filter(|condition| !condition.trim().is_empty())
        .all(|condition| meets(world, table, condition, rows).unwrap_or(true))
}

fn meets(world: &World, table: &str, condition: &str, rows: &[&Fields]) -> Option<bool> {
    let parts: Vec<&str> = condition.split('^').map(str::trim).collect();
    let [aggregate, field, operator, bound] = parts.as_slice() else {
        return None;
    };
    let value = measure(world, table, aggregate, field, rows)?;
    let bound: f64 = bound.parse().ok()?;
    Some(match *operator {
        ">" => value > bound,
        ">=" => value >= bound,
        "<" => value < bound,
        "<=" => value <= bound,
        "!=" => (value - bound).abs() > f64::EPSILON,
        "=" => (value - bound).abs() <= f64::EPSILON,
        _ => return None,
    })
}

/// One measure of a group as a number.
pub(super) fn measure(
    world: &World,
    table: &str,
    aggregate: &str,
    field: &str,
    rows: &[&Fields],
) -> Option<f64> {
    let measure = match aggregate.to_ascii_lowercase().as_str() {
        "count" => return u32::try_from(rows.len()).ok().map(f64::from),
        "avg" => Measure::Avg,
        "min" => Measure::Min,
        "max" => Measure::Max,
        "sum" => Measure::Sum,
        _ => return None,
    };
    let path = Path::find(world, table, field)?;
    measure.of(world, &path, rows).parse().ok()
}
