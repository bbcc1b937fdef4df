//! How each instance is reached and answers; checks are asked for here, and a wait is ended.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use shared::operator::Role;
use shared::store::jobs::HASTENED;

use super::page::{Fields, Page, flash, reason, value};
use crate::api::ops::{check_connection, connections, try_connection};
use crate::api::problem::Problem;

const CONNECTIONS: &str = "/console/connections";

pub(super) async fn list(page: Page, RawQuery(query): RawQuery) -> Response {
    match connections::all(&page.scheduler).await {
        Ok(all) => page.show(
            "connections.html",
            "connections",
            json!({ "connections": all.items, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

pub(super) async fn show(
    page: Page,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match connections::detail(&page.scheduler, &name).await {
        Ok(connection) => page.show(
            "connection.html",
            "connections/",
            json!({ "connection": connection, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, CONNECTIONS),
    }
}

pub(super) async fn check(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    let back = format!("{CONNECTIONS}/{name}");
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, &back);
    }
    match check_connection::begin(&page.scheduler, &page.me, &name).await {
        Ok(()) => Redirect::to(&format!("{back}?flash=check")).into_response(),
        Err(problem) => page.refuse(&problem, &back),
    }
}

/// Says what happens when the wait is ended, and asks why.
pub(super) async fn ask(page: Page, Path(name): Path<String>) -> Response {
    if let Err(problem) = page.me.may(Role::Operator) {
        return page.refuse(&problem, CONNECTIONS);
    }
    question(&page, &name, "", None).await
}

pub(super) async fn try_again(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    let back = format!("{CONNECTIONS}/{name}");
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, &back);
    }
    let typed = value(&fields, "reason").unwrap_or_default();
    let reason = match reason(typed) {
        Ok(reason) => reason,
        Err(problem) => return question(&page, &name, typed, Some(&problem)).await,
    };
    match try_connection::try_again(&page.scheduler, &page.me, &name, &reason).await {
        Ok(()) => Redirect::to(&format!("{back}?flash=retrying")).into_response(),
        Err(problem) => page.refuse(&problem, &back),
    }
}

async fn question(page: &Page, name: &str, reason: &str, problem: Option<&Problem>) -> Response {
    let connection = match connections::detail(&page.scheduler, name).await {
        Ok(detail) => detail.connection,
        Err(problem) => return page.refuse(&problem, CONNECTIONS),
    };
    let context = json!({
        "connection": connection, "most": HASTENED, "problem": problem, "reason": reason, "flash": null,
    });
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    page.send(status, "circuit.html", "connections/", context)
}
