//! `insertMultiple`: many rows at once, transformed later; the rows tell what became of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ROWS, set, transform};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Act, World};

/// How long after the call the rows are transformed.
const DELAY_MS: u64 = 500;

#[derive(Deserialize)]
struct Records {
    records: Vec<BTreeMap<String, Value>>,
}

pub(super) fn answer(api: &mut Api<'_>, staging: &str) -> Result<Answer, Refusal> {
    let records: Records = serde_json::from_slice(&api.call.body)
        .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))?;
    if !api.world.dictionary.extends(staging, ROWS) {
        return Err(Refusal::InvalidTable(staging.to_owned()));
    }
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..api.act()
    };
    let import_set = set::of_today(api.world, &act, staging)?;
    let mut staged = Vec::new();
    for record in records.records {
        let given = by_name(api.world, staging, record);
        staged.push(set::stage(api.world, &act, staging, &import_set, given)?);
    }
    let table = staging.to_owned();
    let transform = move |world: &mut World, act: &Act<'_>| {
        for row in staged {
            if let Err(refusal) = transform::run(world, act, &table, &row) {
                tracing::warn!(?refusal, %row, "an import row was not transformed");
            }
        }
    };
    api.world.later(&act, DELAY_MS, Box::new(transform));
    let multi = api.world.dice.sys_id();
    let document = json!({"import_set_id": import_set, "multi_import_set_id": multi});
    Ok(Answer::json(201, &document))
}

/// Keys are labels by default; names are taken as well.
fn by_name(
    world: &World,
    staging: &str,
    record: BTreeMap<String, Value>,
) -> BTreeMap<String, String> {
    let columns = world.dictionary.columns(staging);
    let name = |key: &str| {
        let labelled = columns.iter().find(|(_, column)| column.label == key);
        labelled.map_or_else(|| key.to_owned(), |(name, _)| (*name).to_owned())
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let pairs = record.into_iter();
    pairs
        .map(|(key, value)| (name(&key), text(value)))
        .collect()
}
