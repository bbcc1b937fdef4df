//! Requests of all sources, and why each stands where it stands.

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde_json::json;
use shared::request::RequestState;

use super::page::{Page, flash};
use super::query::{again, chosen, for_api, for_template, windows};
use crate::api::ops::{list_requests, show_request};

const NAMES: [&str; 11] = [
    "text",
    "state",
    "source",
    "route",
    "category",
    "requested_for",
    "attention",
    "window",
    "created_after",
    "created_before",
    "cursor",
];

pub(super) async fn list(page: Page, RawQuery(query): RawQuery) -> Response {
    let chosen = chosen(query.as_deref());
    let asked = for_api(&chosen, "created_after", page.scheduler.now());
    let found = list_requests::page(&page.scheduler, &page.me, Some(&asked)).await;
    let (found, problem) = match found {
        Ok(found) => (Some(found), None),
        Err(problem) if problem.http_status().is_client_error() => (None, Some(problem)),
        Err(problem) => return page.refuse(&problem, "/console/requests"),
    };
    let settings = &page.scheduler.settings;
    let context = json!({
        "page": found,
        "problem": problem,
        "chosen": for_template(&chosen, &NAMES),
        "query": again(&chosen),
        "states": RequestState::ALL.map(RequestState::as_str),
        "sources": settings.sources.keys().collect::<Vec<_>>(),
        "routes": settings.routes.iter().map(|route| &route.name).collect::<Vec<_>>(),
        "windows": windows(),
        "flash": flash(query.as_deref()),
    });
    page.show("requests.html", "requests", context)
}

pub(super) async fn show(
    page: Page,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match show_request::detail(&page.scheduler, &page.me, &id).await {
        Ok(detail) => page.show(
            "request.html",
            "requests/",
            json!({ "request": detail, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console/requests"),
    }
}
