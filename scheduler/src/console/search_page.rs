//! Everything by what people have at hand: a ticket number, a sys_id, an id, an external id, a person.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::page::Page;
use super::query::chosen;
use crate::api::ops::search::{self, Found};

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    let chosen = chosen(query.as_deref());
    let text = chosen.iter().find(|(name, _)| name == "q");
    let text = text
        .map(|(_, text)| text.trim().to_owned())
        .unwrap_or_default();
    let found = match search::search(&page.scheduler, &page.me, &text).await {
        Ok(found) => found,
        Err(problem) => return page.refuse(&problem, "/console"),
    };
    if let Some(path) = only(&found) {
        return Redirect::to(&path).into_response();
    }
    page.show(
        "search.html",
        "",
        json!({ "found": found, "text": text, "flash": null }),
    )
}

/// What was meant when there is one thing only.
fn only(found: &Found) -> Option<String> {
    match (found.requests.as_slice(), found.job) {
        ([], Some(job)) => Some(format!("/console/jobs/{job}")),
        ([request], None) => Some(format!("/console/requests/{}", request.id())),
        _ => None,
    }
}
