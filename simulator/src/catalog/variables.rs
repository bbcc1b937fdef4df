//! Variables as the form of an item sees them.

use serde_json::{Value, json};

use super::{bad, questions};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Fields, World};

/// Friendly names of the types by number.
const TYPES: &[(i64, &str)] = &[
    (1, "yes_no"),
    (2, "multi_line_text"),
    (3, "multiple_choice"),
    (4, "numeric_scale"),
    (5, "select_box"),
    (6, "single_line_text"),
    (7, "checkbox"),
    (8, "reference"),
    (9, "date"),
    (10, "date_time"),
    (11, "label"),
    (12, "break"),
    (14, "macro"),
    (15, "ui_page"),
    (16, "wide_single_line_text"),
    (18, "lookup_select_box"),
    (19, "container_start"),
    (20, "container_end"),
    (21, "list_collector"),
    (22, "lookup_multiple_choice"),
    (23, "html"),
    (24, "container_split"),
    (25, "masked"),
    (26, "email"),
    (27, "url"),
    (28, "ip_address"),
    (29, "duration"),
    (31, "requested_for"),
    (32, "rich_text_label"),
    (33, "attachment"),
];
const CONTAINER_START: i64 = 19;
const CONTAINER_END: i64 = 20;

/// All variables of an item; those between a container's start and end are its children.
pub(super) fn of(world: &World, item: &str) -> Value {
    let questions = questions::of(world, item);
    Value::Array(nested(world, &mut questions.into_iter()))
}

fn nested<'w>(world: &World, questions: &mut impl Iterator<Item = &'w Fields>) -> Vec<Value> {
    let mut shown = Vec::new();
    while let Some(question) = questions.next() {
        match question.number("type") {
            CONTAINER_END => break,
            CONTAINER_START => {
                let children = inside(world, questions);
                shown.push(variable(world, question, &children));
            }
            _ => shown.push(variable(world, question, &[])),
        }
    }
    shown
}

/// Containers nest to any depth; the boxed iterator keeps the recursion's type finite.
fn inside(world: &World, questions: &mut dyn Iterator<Item = &Fields>) -> Vec<Value> {
    let mut rest = questions;
    nested(world, &mut rest)
}

fn variable(world: &World, question: &Fields, children: &[Value]) -> Value {
    let number = question.number("type");
    let friendly = TYPES
        .iter()
        .find(|(known, _)| *known == number)
        .map_or("single_line_text", |(_, name)| name);
    let choices: Vec<Value> = choices(world, question)
        .into_iter()
        .enumerate()
        .map(|(index, choice)| json!({"label": choice.get("text"), "value": choice.get("value"), "index": index}))
        .collect();
    let value = question.get("default_value");
    let mut shown = json!({
        "id": question.sys_id(), "name": question.get("name"), "label": question.get("question_text"),
        "type": number, "friendly_type": friendly, "display_type": friendly,
        "mandatory": question.is_true("mandatory"), "read_only": question.is_true("read_only"),
        "active": question.is_true("active"), "value": value, "displayvalue": displayed(world, question, value),
        "render_label": true, "order": question.number("order"), "help_text": question.get("help_text"),
        "attributes": question.get("attributes"), "choices": choices, "children": children,
    });
    let optional = [
        ("reference", "reference"),
        ("ref_qualifier", "reference_qual"),
        ("lookup_table", "lookup_table"),
        ("lookup_value", "lookup_value"),
    ];
    if let Value::Object(map) = &mut shown {
        for (key, column) in optional {
            if !question.get(column).is_empty() {
                map.insert(key.to_owned(), json!(question.get(column)));
            }
        }
        if question.number("max_length") > 0 {
            map.insert(
                "max_length".to_owned(),
                json!(question.number("max_length")),
            );
        }
    }
    shown
}

fn choices<'w>(world: &'w World, question: &'w Fields) -> Vec<&'w Fields> {
    let rows = world.all_with("question_choice", "question", question.sys_id());
    let mut rows: Vec<&Fields> = rows.filter(|choice| !choice.is_true("inactive")).collect();
    rows.sort_by_key(|choice| choice.number("order"));
    rows
}

/// What the form shows for a value: the name of a referenced row, the text of a choice.
fn displayed(world: &World, question: &Fields, value: &str) -> String {
    let reference = match question.get("type") {
        "31" => "sys_user",
        _ => question.get("reference"),
    };
    if !reference.is_empty() {
        return world
            .display_of(reference, "sys_id", value)
            .unwrap_or_default();
    }
    let choice = choices(world, question)
        .into_iter()
        .find(|choice| choice.get("value") == value);
    choice.map_or(value, |choice| choice.get("text")).to_owned()
}

/// `POST /variables/{id}/display_value`
pub(super) fn display_value(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let body: Value = serde_json::from_slice(&api.call.body)
        .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))?;
    let world: &World = api.world;
    let question = world
        .fields("item_option_new", id)
        .ok_or_else(|| bad("Invalid variable"))?;
    let value = body
        .get("value")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(Answer::result(200, &displayed(world, question, value)))
}
