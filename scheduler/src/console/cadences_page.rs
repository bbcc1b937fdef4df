//! What is read how often.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::page::{Fields, Page, flash};
use crate::api::ops::cadences::{self, Deed};

const CADENCES: &str = "/console/cadences";

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    match cadences::all(&page.scheduler).await {
        Ok(cadences) => page.show(
            "cadences.html",
            "cadences",
            json!({ "cadences": cadences.items, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

pub(super) async fn run(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    act(&page, &name, &fields, Deed::Run, "asked").await
}

pub(super) async fn pause(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    act(&page, &name, &fields, Deed::Pause, "stilled").await
}

pub(super) async fn resume(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    act(&page, &name, &fields, Deed::Resume, "resumed").await
}

async fn act(page: &Page, name: &str, fields: &Fields, deed: Deed, flash: &str) -> Response {
    if let Err(problem) = page.check(fields) {
        return page.refuse(&problem, CADENCES);
    }
    match cadences::act(&page.scheduler, &page.me, name, deed).await {
        Ok(()) => Redirect::to(&format!("{CADENCES}?flash={flash}")).into_response(),
        Err(problem) => page.refuse(&problem, CADENCES),
    }
}
