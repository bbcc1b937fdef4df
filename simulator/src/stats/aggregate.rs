//! Count, average, minimum, maximum and sum.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::readable;
use crate::http::routes::Api;
use crate::query::compare;
use crate::query::path::Path;
use crate::refusal::Refusal;
use crate::table_api::params::Params;
use crate::world::column::Kind;
use crate::world::{Fields, World};

/// One way to sum up a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Avg,
    Min,
    Max,
    Sum,
}

const PARAMETERS: &[(&str, &str, Measure)] = &[
    ("sysparm_avg_fields", "avg", Measure::Avg),
    ("sysparm_min_fields", "min", Measure::Min),
    ("sysparm_max_fields", "max", Measure::Max),
    ("sysparm_sum_fields", "sum", Measure::Sum),
];

/// What a call asks for.
pub(super) struct Measures {
    count: bool,
    columns: Vec<(&'static str, Measure, Vec<Path>)>,
}

impl Measures {
    /// # Errors
    /// 403 (A7) for a column the caller may not read. Unknown columns are left out.
    pub(super) fn read(api: &Api<'_>, table: &str, params: &Params) -> Result<Self, Refusal> {
        let mut columns = Vec::new();
        for (parameter, key, measure) in PARAMETERS {
            let names = params.get(parameter).unwrap_or_default().split(',');
            let paths: Vec<Path> = names
                .filter_map(|name| Path::find(api.world, table, name.trim()))
                .collect();
            for path in &paths {
                readable(api, table, path)?;
            }
            if !paths.is_empty() {
                columns.push((*key, *measure, paths));
            }
        }
        Ok(Self {
            count: params.is_true("sysparm_count"),
            columns,
        })
    }

    /// The measures of some rows; all numbers are text.
    pub(super) fn of(&self, world: &World, rows: &[&Fields]) -> Value {
        let mut stats = Map::new();
        if self.count {
            stats.insert("count".to_owned(), json!(rows.len().to_string()));
        }
        for (key, measure, paths) in &self.columns {
            let values: Map<String, Value> = paths
                .iter()
                .map(|path| {
                    let value = measure.of(world, path, rows);
                    (path.column.clone(), Value::String(value))
                })
                .collect();
            stats.insert((*key).to_owned(), Value::Object(values));
        }
        Value::Object(stats)
    }
}

impl Measure {
    pub(super) fn of(self, world: &World, path: &Path, rows: &[&Fields]) -> String {
        let values = rows.iter().map(|row| path.value(world, row));
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
        let kind = path
            .definition(world)
            .map_or(Kind::Text, |column| column.kind);
        match self {
            Self::Min => extreme(kind, &values, Ordering::Less),
            Self::Max => extreme(kind, &values, Ordering::Greater),
            Self::Sum => trimmed(total(&values)),
            Self::Avg if values.is_empty() => String::new(),
            Self::Avg => {
                let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
                format!("{:.4}", total(&values) / f64::from(count))
            }
        }
    }
}

fn extreme(kind: Kind, values: &[&str], wanted: Ordering) -> String {
    let best = values.iter().copied().reduce(|best, value| {
        if compare(kind, value, best) == Some(wanted) {
            value
        } else {
            best
        }
    });
    best.unwrap_or_default().to_owned()
}

fn total(values: &[&str]) -> f64 {
    values
        .iter()
        .filter_map(|value| value.parse::<f64>().ok())
        .sum()
}

/// A sum of whole numbers shows no fraction.
fn trimmed(number: f64) -> String {
    if number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}
