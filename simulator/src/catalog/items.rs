//! Catalog items: list, one with its variables, and who may order them (wire contract 4.1).

use serde_json::{Value, json};

use super::{bad, catalogs, price, variables};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::table_api::params::Params;
use crate::world::{Act, Fields, World};

/// The items the caller may see, by name; filtered and paged as the parameters say.
pub(super) fn list(api: &Api<'_>) -> Answer {
    let params = Params::of(api.call);
    let world: &World = api.world;
    let act = api.act();
    let mut items: Vec<&Fields> = world.dump("sc_cat_item");
    items.retain(|item| is_visible(&act, item) && is_wanted(world, &params, item));
    items.sort_by_key(|item| (item.number("order"), item.get("name").to_lowercase()));
    let offset: usize = params
        .get("sysparm_offset")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let total = items.len();
    let page = items.into_iter().skip(offset).take(params.limit());
    let page: Vec<Value> = page.map(|item| shown(world, item)).collect();
    Answer::list(&page).with("X-Total-Count", &total.to_string())
}

/// One item with its form.
pub(super) fn one(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let world: &World = api.world;
    let item = visible(world, &api.act(), id)?;
    let mut shown = shown(world, item);
    if let Value::Object(map) = &mut shown {
        map.insert("variables".to_owned(), variables::of(world, item.sys_id()));
        map.insert("ui_policy".to_owned(), json!([]));
        let scripts = json!({"onChange": [], "onSubmit": [], "onLoad": []});
        map.insert("client_script".to_owned(), scripts);
        map.insert("data_lookup".to_owned(), json!([]));
        let category = world.fields("sc_category", item.get("category"));
        let categories: Vec<Value> = category.into_iter().map(catalogs::titled).collect();
        map.insert("categories".to_owned(), Value::Array(categories));
    }
    Ok(Answer::result(200, &shown))
}

pub(super) fn variables(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let world: &World = api.world;
    let item = visible(world, &api.act(), id)?;
    Ok(Answer::result(200, &variables::of(world, item.sys_id())))
}

/// # Errors
/// 400 for an item that is not there or not for the caller.
fn visible<'w>(world: &'w World, act: &Act<'_>, id: &str) -> Result<&'w Fields, Refusal> {
    world
        .fields("sc_cat_item", id)
        .filter(|item| is_visible(act, item))
        .ok_or_else(|| bad("Item does not exist or the user does not have access to it"))
}

/// Whether the caller may order the item as it is: guides and record producers have calls of their own.
pub(super) fn can_order(world: &World, act: &Act<'_>, id: &str) -> bool {
    world.fields("sc_cat_item", id).is_some_and(|item| {
        is_visible(act, item) && kind(item) == "catalog_item" && !item.is_true("no_order_now")
    })
}

/// Active, and for everybody or for one of the caller's roles.
pub(super) fn is_visible(act: &Act<'_>, item: &Fields) -> bool {
    let roles = item.get("roles");
    item.is_true("active")
        && (roles.is_empty() || roles.split(',').any(|role| act.actor.has(role.trim())))
}

fn is_wanted(world: &World, params: &Params, item: &Fields) -> bool {
    let named = |parameter: &str| params.get(parameter).filter(|value| !value.is_empty());
    let has = |list: &str, id: &str| list.split(',').any(|entry| entry == id);
    let text = named("sysparm_text").map(str::to_lowercase);
    let found = text.is_none_or(|text| {
        ["name", "short_description", "description"]
            .iter()
            .any(|column| item.get(column).to_lowercase().contains(&text))
    });
    let label = type_label(item);
    found
        && named("sysparm_catalog").is_none_or(|id| has(item.get("sc_catalogs"), id))
        && named("sysparm_category").is_none_or(|id| {
            let parent = world
                .fields("sc_category", item.get("category"))
                .map_or("", |category| category.get("parent"));
            item.get("category") == id || parent == id
        })
        && named("sysparm_type").is_none_or(|wanted| label.eq_ignore_ascii_case(wanted))
}

pub(super) fn kind(item: &Fields) -> &'static str {
    match item.get("sys_class_name") {
        "sc_cat_item_producer" => "record_producer",
        "sc_cat_item_guide" => "order_guide",
        _ => "catalog_item",
    }
}

fn type_label(item: &Fields) -> &'static str {
    match kind(item) {
        "record_producer" => "Record Producer",
        "order_guide" => "Order Guide",
        _ => "Catalog Item",
    }
}

/// An item with real booleans, numbers and nulls.
fn shown(world: &World, item: &Fields) -> Value {
    let catalogs = item.get("sc_catalogs").split(',');
    let catalogs: Vec<Value> = catalogs
        .filter_map(|id| world.fields("sc_catalog", id))
        .map(catalogs::titled)
        .collect();
    let category = world.fields("sc_category", item.get("category"));
    let short = item.get("short_description");
    let amount = price::read(item.get("price"));
    let recurring = price::read(item.get("recurring_price"));
    json!({
        "sys_id": item.sys_id(), "name": item.get("name"),
        "short_description": (!short.is_empty()).then_some(short),
        "description": item.get("description"), "type": kind(item),
        "sys_class_name": item.class_or("sc_cat_item"), "order": item.number("order"),
        "show_price": amount > 0.0, "show_quantity": !item.is_true("no_quantity"),
        "show_delivery_time": true, "show_wishlist": true,
        "icon": item.get("icon"), "picture": item.get("picture"), "url": "", "content_type": "", "kb_article": "",
        "price": price::shown(amount), "localized_price": price::shown(amount), "price_currency": "USD",
        "recurring_price": price::shown(recurring), "localized_recurring_price": price::shown(recurring),
        "recurring_price_frequency": item.get("recurring_frequency"),
        "mandatory_attachment": item.is_true("mandatory_attachment"), "request_method": item.get("request_method"),
        "visible_standalone": item.is_true("visible_standalone"), "availability": item.get("availability"),
        "catalogs": catalogs, "category": category.map(catalogs::titled),
    })
}
