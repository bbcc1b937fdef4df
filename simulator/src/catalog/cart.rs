//! The cart: one per user, shared by everything that calls as that user (wire contract 4.2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::order::Wish;
use super::place::{self, Line, Order};
use super::{bad, price};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Act, Actor, Fields, World};

pub(super) fn show(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    let engine = api.actor.as_engine();
    let cart = cart(api.world, &engine_act(api, &engine))?;
    Ok(shown(api.world, &cart))
}

pub(super) fn add(api: &mut Api<'_>, item: &str) -> Result<Answer, Refusal> {
    let line = Wish::read(&api.call.body)?.line(api.world, &api.act(), item)?;
    let engine = api.actor.as_engine();
    let act = engine_act(api, &engine);
    let cart = cart(api.world, &act)?;
    store(api.world, &act, &cart, &line)?;
    Ok(shown(api.world, &cart))
}

/// Replaces a line's quantity and variables.
pub(super) fn change(api: &mut Api<'_>, line: &str) -> Result<Answer, Refusal> {
    let engine = api.actor.as_engine();
    let act = engine_act(api, &engine);
    let item = own_line(api, &act, line)?.get("cat_item").to_owned();
    let wish = Wish::read(&api.call.body)?.line(api.world, &api.act(), &item)?;
    let cart = cart(api.world, &act)?;
    clear(api.world, &act, line)?;
    store(api.world, &act, &cart, &wish)?;
    Ok(shown(api.world, &cart))
}

pub(super) fn remove(api: &mut Api<'_>, line: &str) -> Result<Answer, Refusal> {
    let engine = api.actor.as_engine();
    let act = engine_act(api, &engine);
    own_line(api, &act, line)?;
    clear(api.world, &act, line)?;
    Ok(Answer::empty(204))
}

pub(super) fn empty(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let engine = api.actor.as_engine();
    let act = engine_act(api, &engine);
    if cart(api.world, &act)? != id {
        return Err(bad("Invalid cart id"));
    }
    empty_lines(api.world, &act, id)?;
    Ok(Answer::empty(204))
}

/// Delivery details a checkout may carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Checkout {
    special_instructions: String,
    delivery_address: String,
}

/// Orders everything in the cart and empties it.
pub(super) fn submit(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    let checkout = if api.call.body.is_empty() {
        Checkout::default()
    } else {
        serde_json::from_slice(&api.call.body)
            .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))?
    };
    let engine = api.actor.as_engine();
    let act = engine_act(api, &engine);
    let cart = cart(api.world, &act)?;
    let lines: Vec<Line> = lines(api.world, &cart)
        .into_iter()
        .map(|line| read(api.world, line))
        .collect();
    if lines.is_empty() {
        return Err(bad("Cart is empty"));
    }
    let order = Order {
        requested_for: lines[0].people.first().cloned().unwrap_or_default(),
        special_instructions: checkout.special_instructions,
        delivery_address: checkout.delivery_address,
        lines,
    };
    let placed = place::place(api.world, &act, &order)?;
    empty_lines(api.world, &act, &cart)?;
    let result = json!({"request_number": placed.number, "request_id": placed.sys_id});
    Ok(Answer::result(200, &result))
}

fn engine_act<'a>(api: &Api<'a>, engine: &'a Actor) -> Act<'a> {
    Act {
        actor: engine,
        ..api.act()
    }
}

/// The caller's cart, made when it is first needed.
fn cart(world: &mut World, act: &Act<'_>) -> Result<String, Refusal> {
    if let Some(cart) = world.find("sc_cart", "user", &act.actor.id) {
        return Ok(cart.sys_id().to_owned());
    }
    let values = [("name", "DEFAULT"), ("user", act.actor.id.as_str())];
    place::insert(world, act, "sc_cart", &values)
}

fn lines<'w>(world: &'w World, cart: &'w str) -> Vec<&'w Fields> {
    let mut lines: Vec<&Fields> = world.all_with("sc_cart_item", "cart", cart).collect();
    lines.sort_by_key(|line| line.number("order"));
    lines
}

/// # Errors
/// 400 for a line that is not in the caller's cart.
fn own_line(api: &mut Api<'_>, act: &Act<'_>, line: &str) -> Result<Fields, Refusal> {
    let cart = cart(api.world, act)?;
    let found = api.world.fields("sc_cart_item", line);
    let own = found.filter(|line| line.get("cart") == cart).cloned();
    own.ok_or_else(|| bad("Invalid cart item"))
}

fn store(world: &mut World, act: &Act<'_>, cart: &str, line: &Line) -> Result<(), Refusal> {
    let place_in_cart = lines(world, cart)
        .last()
        .map_or(0, |last| last.number("order") + 1);
    let row = place::insert(
        world,
        act,
        "sc_cart_item",
        &[
            ("cart", cart),
            ("cat_item", &line.item),
            ("quantity", &line.quantity.to_string()),
            ("requested_for", &line.people.join(",")),
            ("order", &place_in_cart.to_string()),
        ],
    )?;
    for (question, value) in super::questions::answers(world, &line.item, &line.answers) {
        let values = [
            ("cart_item", row.as_str()),
            ("item_option_new", &question),
            ("value", &value),
        ];
        place::insert(world, act, "sc_item_option", &values)?;
    }
    Ok(())
}

fn read(world: &World, line: &Fields) -> Line {
    let options = world.all_with("sc_item_option", "cart_item", line.sys_id());
    let answers: BTreeMap<String, String> = options
        .filter_map(|option| {
            let question = world.fields("item_option_new", option.get("item_option_new"))?;
            Some((
                question.get("name").to_owned(),
                option.get("value").to_owned(),
            ))
        })
        .collect();
    let people = line.get("requested_for").split(',');
    Line {
        item: line.get("cat_item").to_owned(),
        quantity: u32::try_from(line.number("quantity")).unwrap_or(1),
        people: people.map(str::to_owned).collect(),
        answers,
    }
}

fn clear(world: &mut World, act: &Act<'_>, line: &str) -> Result<(), Refusal> {
    let options = world.all_with("sc_item_option", "cart_item", line);
    let options: Vec<String> = options.map(|option| option.sys_id().to_owned()).collect();
    for option in options {
        world.delete(act, "sc_item_option", &option)?;
    }
    world.delete(act, "sc_cart_item", line)
}

fn empty_lines(world: &mut World, act: &Act<'_>, cart: &str) -> Result<(), Refusal> {
    let all: Vec<String> = lines(world, cart)
        .into_iter()
        .map(|line| line.sys_id().to_owned())
        .collect();
    for line in all {
        clear(world, act, &line)?;
    }
    Ok(())
}

fn shown(world: &World, cart: &str) -> Answer {
    let mut subtotal = 0.0;
    let mut items: Vec<Value> = Vec::new();
    for line in lines(world, cart) {
        let Some(item) = world.fields("sc_cat_item", line.get("cat_item")) else {
            continue;
        };
        let amount = price::read(item.get("price"));
        let recurring = price::read(item.get("recurring_price"));
        subtotal += amount * price::read(line.get("quantity"));
        items.push(json!({
            "cart_item_id": line.sys_id(), "catalog_item_id": item.sys_id(), "item_name": item.get("name"),
            "quantity": line.get("quantity"), "price": price::shown(amount), "localized_price": price::shown(amount),
            "recurring_price": price::shown(recurring), "localized_recurring_price": price::shown(recurring),
            "recurring_frequency": item.get("recurring_frequency"),
        }));
    }
    let result = json!({"cart_id": cart, "subtotal": price::shown(subtotal), "items": items});
    Answer::result(200, &result)
}
