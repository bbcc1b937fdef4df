//! What moves, what waits, and why.

use axum::extract::RawQuery;
use axum::response::Response;
use serde_json::json;

use super::page::{Page, flash};
use crate::api::ops::overview::overview;

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    match overview(&page.scheduler).await {
        Ok(overview) => page.show(
            "overview.html",
            "overview",
            json!({ "overview": overview, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}
