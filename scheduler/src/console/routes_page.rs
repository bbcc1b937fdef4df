//! Which requests become which tickets; routes are switched off and on here.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use shared::operator::Role;

use super::page::{Fields, Page, flash, reason, value};
use crate::api::ops::routes;
use crate::api::problem::Problem;

const ROUTES: &str = "/console/routes";

pub(super) async fn list(page: Page, RawQuery(query): RawQuery) -> Response {
    match routes::all(&page.scheduler).await {
        Ok(all) => page.show(
            "routes.html",
            "routes",
            json!({ "routes": all.items, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

pub(super) async fn show(
    page: Page,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match routes::detail(&page.scheduler, &name).await {
        Ok(route) => page.show(
            "route.html",
            "routes/",
            json!({ "route": route, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, ROUTES),
    }
}

/// Says what it means that a route is off, and asks why.
pub(super) async fn ask_off(page: Page, Path(name): Path<String>) -> Response {
    ask(&page, &name, false).await
}

/// Says what it means that a route is on again, and asks why.
pub(super) async fn ask_on(page: Page, Path(name): Path<String>) -> Response {
    ask(&page, &name, true).await
}

pub(super) async fn off(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    switch(&page, &name, false, &fields).await
}

pub(super) async fn on(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    switch(&page, &name, true, &fields).await
}

async fn ask(page: &Page, name: &str, on: bool) -> Response {
    if let Err(problem) = page.me.may(Role::Operator) {
        return page.refuse(&problem, ROUTES);
    }
    question(page, name, on, "", None).await
}

async fn switch(page: &Page, name: &str, on: bool, fields: &Fields) -> Response {
    if let Err(problem) = page.check(fields) {
        return page.refuse(&problem, ROUTES);
    }
    let typed = value(fields, "reason").unwrap_or_default();
    let reason = match reason(typed) {
        Ok(reason) => reason,
        Err(problem) => return question(page, name, on, typed, Some(&problem)).await,
    };
    match routes::set(&page.scheduler, &page.me, name, on, &reason).await {
        Ok(()) => {
            let word = if on { "switched-on" } else { "switched-off" };
            Redirect::to(&format!("{ROUTES}?flash={word}")).into_response()
        }
        Err(problem) => page.refuse(&problem, ROUTES),
    }
}

async fn question(
    page: &Page,
    name: &str,
    on: bool,
    reason: &str,
    problem: Option<&Problem>,
) -> Response {
    let route = match routes::detail(&page.scheduler, name).await {
        Ok(detail) => detail.route,
        Err(problem) => return page.refuse(&problem, ROUTES),
    };
    let context = json!({
        "route": route, "on": on, "problem": problem, "reason": reason, "flash": null,
    });
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    page.send(status, "route_switch.html", "routes/", context)
}
