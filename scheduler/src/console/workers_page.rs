//! Who runs jobs.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::page::{Fields, Page, flash};
use crate::api::ops::workers;

const WORKERS: &str = "/console/workers";

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    match workers::all(&page.scheduler).await {
        Ok(workers) => page.show(
            "workers.html",
            "workers",
            json!({ "workers": workers.items, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

pub(super) async fn drain(
    page: Page,
    Path(id): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, WORKERS);
    }
    match workers::drain(&page.scheduler, &page.me, &id).await {
        Ok(()) => Redirect::to(&format!("{WORKERS}?flash=draining")).into_response(),
        Err(problem) => page.refuse(&problem, WORKERS),
    }
}
