//! Catalogs and their categories.

use serde_json::{Value, json};

use super::bad;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::table_api::params::Params;
use crate::world::{Fields, World};

pub(super) fn list(api: &Api<'_>) -> Answer {
    let params = Params::of(api.call);
    let world: &World = api.world;
    let text = params
        .get("sysparm_text")
        .unwrap_or_default()
        .to_lowercase();
    let mut catalogs = world.dump("sc_catalog");
    catalogs.retain(|row| row.is_true("active") && row.get("title").to_lowercase().contains(&text));
    catalogs.sort_by_key(|row| row.get("title").to_owned());
    let page = catalogs.into_iter().take(params.limit());
    let page: Vec<Value> = page.map(|row| catalog(world, row)).collect();
    Answer::list(&page)
}

pub(super) fn one(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let world: &World = api.world;
    let row = world
        .fields("sc_catalog", id)
        .ok_or_else(|| bad("Catalog does not exist"))?;
    let mut shown = catalog(world, row);
    if let Value::Object(map) = &mut shown {
        let categories = of_catalog(world, id).into_iter().map(titled).collect();
        map.insert("categories".to_owned(), Value::Array(categories));
    }
    Ok(Answer::result(200, &shown))
}

pub(super) fn categories(api: &Api<'_>, id: &str) -> Answer {
    let params = Params::of(api.call);
    let world: &World = api.world;
    let mut rows = of_catalog(world, id);
    if params.is_true("sysparm_top_level_only") {
        rows.retain(|row| row.get("parent").is_empty());
    }
    let offset = params
        .get("sysparm_offset")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let page = rows.into_iter().skip(offset).take(params.limit());
    let page: Vec<Value> = page.map(|row| shown_category(world, row)).collect();
    Answer::list(&page)
}

pub(super) fn category(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let world: &World = api.world;
    let row = world
        .fields("sc_category", id)
        .ok_or_else(|| bad("Category does not exist"))?;
    Ok(Answer::result(200, &shown_category(world, row)))
}

/// `{"sys_id":…,"title":…}`
pub(super) fn titled(row: &Fields) -> Value {
    json!({"sys_id": row.sys_id(), "title": row.get("title")})
}

fn of_catalog<'w>(world: &'w World, catalog: &'w str) -> Vec<&'w Fields> {
    let rows = world.all_with("sc_category", "sc_catalog", catalog);
    let mut rows: Vec<&Fields> = rows.filter(|row| row.is_true("active")).collect();
    rows.sort_by_key(|row| (row.number("order"), row.get("title").to_owned()));
    rows
}

fn catalog(world: &World, row: &Fields) -> Value {
    let items = world.dump("sc_cat_item");
    let has_items = items.iter().any(|item| {
        item.get("sc_catalogs")
            .split(',')
            .any(|id| id == row.sys_id())
    });
    json!({
        "sys_id": row.sys_id(), "title": row.get("title"), "description": row.get("description"),
        "has_categories": !of_catalog(world, row.sys_id()).is_empty(), "has_items": has_items,
        "desktop_image": row.get("desktop_image"),
    })
}

fn shown_category(world: &World, row: &Fields) -> Value {
    let children = world.all_with("sc_category", "parent", row.sys_id());
    let children: Vec<Value> = children.map(titled).collect();
    let full = row.get("full_description");
    json!({
        "sys_id": row.sys_id(), "title": row.get("title"), "description": row.get("description"),
        "full_description": (!full.is_empty()).then_some(full), "icon": row.get("icon"),
        "homepage_image": row.get("homepage_image"),
        "count": world.all_with("sc_cat_item", "category", row.sys_id()).count(),
        "subcategories": children,
    })
}
