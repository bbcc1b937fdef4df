//! The Aggregate API, `/api/now/stats/{table}` (wire contract 8).

mod aggregate;
mod having;
mod order;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::query::{self, path::Path};
use crate::refusal::Refusal;
use crate::shape::{Display, View};
use crate::table_api::params::Params;
use crate::table_api::plan;
use crate::world::access::{Right, Verb};
use crate::world::{Fields, World};
use aggregate::Measures;

/// Rows with the same values in all group columns.
struct Group<'w> {
    rows: Vec<&'w Fields>,
}

/// Answers an aggregate query. Row ACLs are not applied: counts can exceed the readable rows.
pub(crate) fn answer(api: &mut Api<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    let [table] = rest else {
        return Err(Refusal::NoSuchResource);
    };
    if !matches!(api.call.method.as_str(), "GET" | "HEAD") {
        return Err(Refusal::MethodNotSupported);
    }
    let params = Params::of(api.call);
    let act = api.act();
    let mut dice = api.world.dice.fork();
    let world: &World = api.world;
    if world.dictionary.table(table).is_none() {
        return Err(Refusal::InvalidTable((*table).to_owned()));
    }
    world.check_readable(&act, table)?;
    let plan = plan(world, &act, table, &params)?;
    let measures = Measures::read(api, table, &params)?;
    let names = groups_asked(api, table, &params)?;
    let mut rows: Vec<&Fields> = Vec::new();
    if world.right(&act, Verb::Read, table) != Right::None {
        let found = query::select(world, &act, table, &plan, &mut dice);
        rows.extend(found.into_iter().map(|row| row.fields));
    }
    if names.is_empty() {
        let stats = measures.of(world, &rows);
        return Ok(Answer::result(200, &json!({"stats": stats})));
    }
    let mut groups = grouped(world, table, &names, rows);
    groups.retain(|group| having::holds(world, table, params.get("sysparm_having"), &group.rows));
    order::sort(world, table, params.get("sysparm_order_by"), &mut groups);
    let shown = |group: &Group<'_>| {
        let fields = group_fields(api, world, table, &names, &params, group);
        json!({"stats": measures.of(world, &group.rows), "groupby_fields": fields})
    };
    let shown: Vec<Value> = groups.iter().map(shown).collect();
    Ok(Answer::list(&shown))
}

/// The group columns that exist.
///
/// # Errors
/// 403 (A7) for a column the caller may not read.
fn groups_asked(api: &Api<'_>, table: &str, params: &Params) -> Result<Vec<String>, Refusal> {
    let names = params.get("sysparm_group_by").unwrap_or_default();
    let names = names.split(',').map(str::trim);
    let mut kept = Vec::new();
    for name in names {
        let Some(path) = Path::find(api.world, table, name) else {
            continue;
        };
        readable(api, table, &path)?;
        kept.push(name.to_owned());
    }
    Ok(kept)
}

fn readable(api: &Api<'_>, table: &str, path: &Path) -> Result<(), Refusal> {
    let act = api.act();
    let mut steps = path.steps(table);
    if steps.all(|(table, column)| api.world.sees_field(&act, table, column)) {
        Ok(())
    } else {
        Err(Refusal::QueryRights)
    }
}

/// Groups in the order of their values.
fn grouped<'w>(
    world: &'w World,
    table: &str,
    names: &[String],
    rows: Vec<&'w Fields>,
) -> Vec<Group<'w>> {
    let paths: Vec<Path> = names
        .iter()
        .filter_map(|name| Path::find(world, table, name))
        .collect();
    let mut groups: BTreeMap<Vec<String>, Vec<&Fields>> = BTreeMap::new();
    for row in rows {
        let key = paths.iter().map(|path| path.value(world, row).to_owned());
        groups.entry(key.collect()).or_default().push(row);
    }
    groups.into_values().map(|rows| Group { rows }).collect()
}

fn group_fields(
    api: &Api<'_>,
    world: &World,
    table: &str,
    names: &[String],
    params: &Params,
    group: &Group<'_>,
) -> Vec<Value> {
    let view = View {
        world,
        act: api.act(),
        base_url: &api.sim.base_url,
        display: Display::All,
        exclude_link: true,
        names: Some(names),
    };
    let record = group.rows.first().map(|row| view.record(table, row));
    let record = serde_json::to_value(record).unwrap_or_default();
    let display = Display::read(params.get("sysparm_display_value"));
    let field = |name: &String| {
        let (value, shown) = (&record[name]["value"], &record[name]["display_value"]);
        let mut field = Map::new();
        field.insert("field".to_owned(), json!(name));
        let main = if display == Display::Shown {
            shown
        } else {
            value
        };
        field.insert("value".to_owned(), main.clone());
        if display == Display::All {
            field.insert("display_value".to_owned(), shown.clone());
        }
        Value::Object(field)
    };
    names.iter().map(field).collect()
}
