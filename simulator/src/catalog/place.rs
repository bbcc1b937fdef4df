//! Placing an order: one request, one item row per line and person, the variables, and the flow
//! that makes the tasks later (wire contract 3.8).

use std::collections::BTreeMap;

use super::{flow, price, questions};
use crate::refusal::Refusal;
use crate::world::{Act, Input, World};

/// One item to order.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) item: String,
    pub(super) quantity: u32,
    /// User ids; each gets an item row of its own.
    pub(super) people: Vec<String>,
    /// Values by variable name.
    pub(super) answers: BTreeMap<String, String>,
}

/// What is ordered together.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    pub(super) requested_for: String,
    pub(super) special_instructions: String,
    pub(super) delivery_address: String,
    pub(super) lines: Vec<Line>,
}

/// The request row of a placed order.
pub(super) struct Placed {
    pub(super) sys_id: String,
    pub(super) number: String,
}

/// Places an order as the act's actor.
///
/// # Errors
/// A rule or a right that refuses one of the rows.
pub(super) fn place(world: &mut World, act: &Act<'_>, order: &Order) -> Result<Placed, Refusal> {
    let total: f64 = order.lines.iter().map(|line| cost(world, line)).sum();
    let total = format!("{total:.2}");
    let request = insert(
        world,
        act,
        "sc_request",
        &[
            ("requested_for", &order.requested_for),
            ("special_instructions", &order.special_instructions),
            ("delivery_address", &order.delivery_address),
            ("short_description", ""),
            ("request_state", "requested"),
            ("approval", "requested"),
            ("stage", "requested"),
            ("price", &total),
        ],
    )?;
    for line in &order.lines {
        for person in &line.people {
            let row = item_row(world, act, &request, line, person)?;
            flow::start(world, act, &row);
        }
    }
    let number = world
        .fields("sc_request", &request)
        .map(|row| row.get("number").to_owned());
    Ok(Placed {
        sys_id: request,
        number: number.unwrap_or_default(),
    })
}

fn cost(world: &World, line: &Line) -> f64 {
    let price = world
        .fields("sc_cat_item", &line.item)
        .map_or(0.0, |item| price::read(item.get("price")));
    let people = u32::try_from(line.people.len()).unwrap_or(u32::MAX);
    price * f64::from(line.quantity) * f64::from(people)
}

/// The row of one ordered item with its variables.
fn item_row(
    world: &mut World,
    act: &Act<'_>,
    request: &str,
    line: &Line,
    person: &str,
) -> Result<String, Refusal> {
    let item = world
        .fields("sc_cat_item", &line.item)
        .cloned()
        .unwrap_or_default();
    let catalog = item
        .get("sc_catalogs")
        .split(',')
        .next()
        .unwrap_or_default();
    let text = [item.get("short_description"), item.get("name")]
        .into_iter()
        .find(|text| !text.is_empty());
    let row = insert(
        world,
        act,
        "sc_req_item",
        &[
            ("request", request),
            ("cat_item", &line.item),
            ("sc_catalog", catalog),
            ("quantity", &line.quantity.to_string()),
            ("price", item.get("price")),
            ("recurring_price", item.get("recurring_price")),
            ("recurring_frequency", item.get("recurring_frequency")),
            ("requested_for", person),
            ("short_description", text.unwrap_or_default()),
            ("approval", "requested"),
            ("stage", "waiting_for_approval"),
        ],
    )?;
    for (index, (question, value)) in questions::answers(world, &line.item, &line.answers)
        .into_iter()
        .enumerate()
    {
        let order = (index * 100).to_string();
        let values = [
            ("item_option_new", question.as_str()),
            ("value", &value),
            ("order", &order),
        ];
        let option = insert(world, act, "sc_item_option", &values)?;
        let owner = [("request_item", row.as_str()), ("sc_item_option", &option)];
        insert(world, act, "sc_item_option_mtom", &owner)?;
    }
    Ok(row)
}

/// Inserts a row by raw values, gives its sys_id.
pub(super) fn insert(
    world: &mut World,
    act: &Act<'_>,
    table: &str,
    values: &[(&str, &str)],
) -> Result<String, Refusal> {
    let values = values.iter().filter(|(_, value)| !value.is_empty());
    let given = values
        .map(|(column, value)| ((*column).to_owned(), (*value).to_owned()))
        .collect();
    world
        .insert(act, table, &given, Input::Raw)
        .map(|inserted| inserted.sys_id)
}
