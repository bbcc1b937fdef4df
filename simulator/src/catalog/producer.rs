//! Record producers: a form whose variables become the columns of a row.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{bad, items, questions};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Act, Input};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Form {
    variables: BTreeMap<String, Value>,
}

/// Makes the row. Variables named like a column fill it, as producers map them.
pub(super) fn answer(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let form: Form = serde_json::from_slice(&api.call.body)
        .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))?;
    let producer = api
        .world
        .fields("sc_cat_item", id)
        .filter(|item| {
            items::kind(item) == "record_producer" && items::is_visible(&api.act(), item)
        })
        .ok_or(Refusal::NoRecord)?;
    let table = producer.get("table_name").to_owned();
    let given: BTreeMap<String, String> = form
        .variables
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect();
    if questions::misses_mandatory(api.world, id, &given) {
        return Err(bad("Mandatory Variables are required"));
    }
    let asked: Vec<&str> = questions::of(api.world, id)
        .iter()
        .map(|question| question.get("name"))
        .collect();
    let mut values: BTreeMap<String, String> = given
        .into_iter()
        .filter(|(name, _)| asked.contains(&name.as_str()))
        .collect();
    let caller = ("caller_id".to_owned(), api.actor.id.clone());
    values.entry(caller.0).or_insert(caller.1);
    values
        .entry("contact_type".to_owned())
        .or_insert_with(|| "self-service".to_owned());
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..api.act()
    };
    let made = api.world.insert(&act, &table, &values, Input::Raw)?.sys_id;
    let number = api
        .world
        .fields(&table, &made)
        .map_or("", |row| row.get("number"));
    let result = json!({
        "sys_id": made, "number": number, "parent_id": null, "parent_table": "task",
        "record": format!("api/now/table/{table}/{made}"),
        "redirect_portal_url": "", "redirect_url": format!("{table}.do?sys_id={made}"), "table": table,
        "redirect_to": "generated_record",
    });
    Ok(Answer::result(200, &result))
}
