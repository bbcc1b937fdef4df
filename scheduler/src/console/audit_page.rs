//! Who did what to which thing.

use axum::extract::RawQuery;
use axum::response::Response;
use serde_json::json;

use super::page::{Page, flash};
use super::query::{again, chosen, export, for_api, for_template};
use crate::api::ops::audit;

const NAMES: [&str; 7] = [
    "actor",
    "action",
    "subject_kind",
    "subject_id",
    "after",
    "before",
    "cursor",
];

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    let chosen = chosen(query.as_deref());
    let asked = for_api(&chosen, "after", page.scheduler.now());
    let (found, problem) = match audit::page(&page.scheduler, Some(&asked)).await {
        Ok(found) => (Some(found), None),
        Err(problem) if problem.http_status().is_client_error() => (None, Some(problem)),
        Err(problem) => return page.refuse(&problem, "/console/audit"),
    };
    let head = match audit::head(&page.scheduler).await {
        Ok(head) => head,
        Err(problem) => return page.refuse(&problem, "/console/audit"),
    };
    let context = json!({
        "head": head,
        "page": found,
        "problem": problem,
        "chosen": for_template(&chosen, &NAMES),
        "query": again(&chosen),
        "query_more": export(&chosen, "after", page.scheduler.now()),
        "flash": flash(query.as_deref()),
    });
    page.show("audit.html", "audit", context)
}
