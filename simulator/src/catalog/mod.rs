//! The Service Catalog API, `/api/sn_sc/servicecatalog` (wire contract 4).

mod cart;
mod catalogs;
mod flow;
mod items;
mod order;
mod place;
mod price;
mod producer;
mod questions;
mod variables;

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;

/// Answers a catalog call; `rest` is what follows `servicecatalog` in the path.
pub(crate) fn answer(api: &mut Api<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (api.call.method.as_str(), rest) {
        ("GET" | "HEAD", ["catalogs"]) => Ok(catalogs::list(api)),
        ("GET" | "HEAD", ["catalogs", id]) => catalogs::one(api, id),
        ("GET" | "HEAD", ["catalogs", id, "categories"]) => Ok(catalogs::categories(api, id)),
        ("GET" | "HEAD", ["categories", id]) => catalogs::category(api, id),
        ("GET" | "HEAD", ["items"]) => Ok(items::list(api)),
        ("GET" | "HEAD", ["items", id]) => items::one(api, id),
        ("GET" | "HEAD", ["items", id, "variables"]) => items::variables(api, id),
        ("POST", ["items", id, "order_now"]) => order::answer(api, id),
        ("POST", ["items", id, "add_to_cart"]) => cart::add(api, id),
        ("POST", ["items", id, "submit_producer"]) => producer::answer(api, id),
        ("POST", ["variables", id, "display_value"]) => variables::display_value(api, id),
        ("GET" | "HEAD", ["cart"]) => cart::show(api),
        ("POST", ["cart", "submit_order" | "checkout"]) => cart::submit(api),
        ("PUT", ["cart", line]) => cart::change(api, line),
        ("DELETE", ["cart", line]) => cart::remove(api, line),
        ("DELETE", ["cart", cart, "empty"]) => cart::empty(api, cart),
        _ => Err(Refusal::NoSuchResource),
    }
}

/// The name of a catalog call in the log: `order_now`, `items`, `item`, `cart`, …
pub(crate) fn kind(rest: &[&str]) -> String {
    let name = match rest {
        ["items", _] => "item",
        ["catalogs", _] => "catalog",
        ["categories", _] => "category",
        ["cart", "submit_order"] => "submit_order",
        ["cart", "checkout"] => "checkout",
        ["cart", ..] => "cart",
        [.., last] => last,
        [] => "other",
    };
    format!("catalog.{name}")
}

/// 400 with one of the messages the catalog documents.
fn bad(message: &str) -> Refusal {
    Refusal::BadRequest {
        message: message.to_owned(),
        detail: String::new(),
    }
}
