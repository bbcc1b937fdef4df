//! The Import Set API, `/api/now/import/{staging}` (wire contract 6).

mod many;
mod set;
mod transform;

use serde_json::{Value, json};

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::table_api::body;
use crate::world::Act;
use transform::Outcome;

/// Table all staging tables extend.
const ROWS: &str = "sys_import_set_row";

pub(crate) fn answer(api: &mut Api<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    let staging = rest.first().copied().unwrap_or_default();
    if api.world.dictionary.table(staging).is_none() {
        return Err(Refusal::InvalidTable(staging.to_owned()));
    }
    if !api.actor.has("import_transformer") && !api.actor.has("import_admin") {
        return Err(Refusal::Acl("Insert"));
    }
    match (api.call.method.as_str(), rest) {
        ("POST", [staging]) => one(api, staging),
        ("GET" | "HEAD", [staging, id]) => again(api, staging, id),
        ("POST", [staging, "insertMultiple"]) => many::answer(api, staging),
        (_, [_] | [_, _]) => Err(Refusal::MethodNotSupported),
        _ => Err(Refusal::NoSuchResource),
    }
}

/// Stages one row and transforms it at once; what goes wrong in there is told with 201.
fn one(api: &mut Api<'_>, staging: &str) -> Result<Answer, Refusal> {
    let given = body::read(&api.call.body)?;
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..api.act()
    };
    if !api.world.dictionary.extends(staging, ROWS) {
        let outcome = Outcome::failed("Invalid staging table");
        return Ok(shown(api, 201, "", staging, &outcome));
    }
    let set = set::of_today(api.world, &act, staging)?;
    let row = set::stage(api.world, &act, staging, &set, given)?;
    let outcome = transform::run(api.world, &act, staging, &row)?;
    let number = set::number(api.world, &set);
    Ok(shown(api, 201, &number, staging, &outcome))
}

/// What became of an old row.
fn again(api: &Api<'_>, staging: &str, id: &str) -> Result<Answer, Refusal> {
    let row = api
        .world
        .fields(staging, id)
        .filter(|_| api.world.dictionary.extends(staging, ROWS))
        .ok_or(Refusal::NoRecord)?;
    let outcome = Outcome::of_row(row);
    let number = set::number(api.world, row.get("sys_import_set"));
    Ok(shown(api, 200, &number, staging, &outcome))
}

fn shown(api: &Api<'_>, status: u16, set: &str, staging: &str, outcome: &Outcome) -> Answer {
    let mut result = json!({
        "transform_map": outcome.map, "table": outcome.table, "status": outcome.status,
    });
    let target = api.world.fields(&outcome.table, &outcome.target);
    if let (Value::Object(result), Some(target)) = (&mut result, target) {
        let column = api.world.dictionary.display_column(&outcome.table);
        let link = format!(
            "{}/api/now/table/{}/{}",
            api.sim.base_url, outcome.table, outcome.target
        );
        result.insert("display_name".to_owned(), json!(column));
        result.insert("display_value".to_owned(), json!(target.get(column)));
        result.insert("record_link".to_owned(), json!(link));
        result.insert("sys_id".to_owned(), json!(outcome.target));
    }
    if let (Value::Object(result), false) = (&mut result, outcome.message.is_empty()) {
        let key = match outcome.status.as_str() {
            "error" => "error_message",
            _ => "status_message",
        };
        result.insert(key.to_owned(), json!(outcome.message));
    }
    let document = json!({"import_set": set, "staging_table": staging, "result": [result]});
    Answer::json(status, &document)
}
