//! The variables an item asks for: its own and those of its variable sets, in their order.

use std::collections::BTreeMap;

use crate::world::{Fields, World};

/// Types that only lay out the form and carry no value (wire contract 4.1).
const LAYOUT: &[&str] = &["11", "12", "14", "15", "17", "19", "20", "24", "32"];

/// All active variables of an item.
pub(super) fn of<'w>(world: &'w World, item: &'w str) -> Vec<&'w Fields> {
    let sets = world.all_with("io_set_item", "sc_cat_item", item);
    let in_sets = sets
        .flat_map(|set| world.all_with("item_option_new", "variable_set", set.get("variable_set")));
    let own = world.all_with("item_option_new", "cat_item", item);
    let mut all: Vec<&Fields> = own
        .chain(in_sets)
        .filter(|question| question.is_true("active"))
        .collect();
    all.sort_by_key(|question| (question.number("order"), question.get("name").to_owned()));
    all
}

pub(super) fn has_value(question: &Fields) -> bool {
    !LAYOUT.contains(&question.get("type"))
}

/// The values to store: what was given by name, else the default.
pub(super) fn answers(
    world: &World,
    item: &str,
    given: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let questions = of(world, item).into_iter();
    questions
        .filter(|question| has_value(question))
        .map(|question| {
            let given = given.get(question.get("name"));
            let value = given.map_or(question.get("default_value"), String::as_str);
            (question.sys_id().to_owned(), value.to_owned())
        })
        .collect()
}

/// Whether a variable that is marked mandatory would stay empty. Hidden ones never block an order
/// through this API, because no form could have shown them.
pub(super) fn misses_mandatory(
    world: &World,
    item: &str,
    given: &BTreeMap<String, String>,
) -> bool {
    of(world, item).into_iter().any(|question| {
        let value = given.get(question.get("name")).map_or("", String::as_str);
        let unanswered = value.trim().is_empty() || is_unticked(question, value);
        has_value(question)
            && question.is_true("mandatory")
            && !question.is_true("hidden")
            && unanswered
            && question.get("default_value").is_empty()
    })
}

/// A mandatory checkbox wants to be ticked.
fn is_unticked(question: &Fields, value: &str) -> bool {
    question.get("type") == "7" && value != "true"
}
