//! Which alerts fire, who is told, and what became of the messages.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::operator::Role;

use super::page::{Fields, Page, flash, value};
use crate::api::ops::alerts::{self, AlertTest};
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;

const ALERTS: &str = "/console/alerts";

/// For how long an alert can be silenced here, in hours.
const LENGTHS: [(i64, &str); 5] = [
    (1, "1 hour"),
    (4, "4 hours"),
    (24, "1 day"),
    (72, "3 days"),
    (168, "1 week"),
];

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    list(&page, json!(flash(query.as_deref())), None).await
}

/// Says what a silence means, and asks for how long and why.
pub(super) async fn ask(page: Page, Path(name): Path<String>) -> Response {
    if let Err(problem) = page.me.may(Role::Operator) {
        return page.refuse(&problem, ALERTS);
    }
    question(&page, &name, &Fields::new(), None).await
}

pub(super) async fn silence(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, ALERTS);
    }
    let reason = value(&fields, "reason")
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let hours = value(&fields, "hours").and_then(|it| it.parse::<i64>().ok());
    let hours = hours.filter(|hours| LENGTHS.iter().any(|(known, _)| known == hours));
    let (Some(reason), Some(hours)) = (reason, hours) else {
        let error = match hours {
            None => FieldError::new("/hours", "is not chosen", "choose for how long"),
            Some(_) => FieldError::new("/reason", "is empty", "say in a few words why"),
        };
        let problem = Problem::of_fields(vec![error]);
        return question(&page, &name, &fields, Some(&problem)).await;
    };
    let reason: String = reason
        .replace(['\r', '\n'], " ")
        .chars()
        .take(500)
        .collect();
    let until = page.scheduler.now() + TimeDelta::hours(hours);
    let body = json!({ "until": until, "reason": reason });
    match alerts::silence(&page.scheduler, &page.me, &name, &body).await {
        Ok(()) => Redirect::to(&format!("{ALERTS}?flash=silenced")).into_response(),
        Err(problem) => page.refuse(&problem, ALERTS),
    }
}

pub(super) async fn resume(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, ALERTS);
    }
    match alerts::resume(&page.scheduler, &page.me, &name).await {
        Ok(()) => Redirect::to(&format!("{ALERTS}?flash=unsilenced")).into_response(),
        Err(problem) => page.refuse(&problem, ALERTS),
    }
}

/// Shows what was answered at once: a redirect could not carry it.
pub(super) async fn test(
    page: Page,
    Path(name): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, ALERTS);
    }
    match alerts::test(&page.scheduler, &page.me, &name).await {
        Ok(tested) => list(&page, Value::Null, Some(&tested)).await,
        Err(problem) => page.refuse(&problem, ALERTS),
    }
}

async fn list(page: &Page, flash: Value, tested: Option<&AlertTest>) -> Response {
    match alerts::all(&page.scheduler).await {
        Ok(alerts) => page.show(
            "alerts.html",
            "alerts",
            json!({ "alerts": alerts, "tested": tested, "flash": flash }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

async fn question(page: &Page, name: &str, fields: &Fields, problem: Option<&Problem>) -> Response {
    let all = match alerts::all(&page.scheduler).await {
        Ok(all) => all.items,
        Err(problem) => return page.refuse(&problem, ALERTS),
    };
    let Some(alert) = all.into_iter().find(|it| it.name == name) else {
        let problem = Problem::new(Kind::NotFound, "There is no alert of that name.");
        return page.refuse(&problem, ALERTS);
    };
    let lengths: Vec<Value> = LENGTHS
        .iter()
        .map(|(hours, label)| json!({ "hours": hours.to_string(), "label": label }))
        .collect();
    // What was typed is shown again, whatever is wrong with it.
    let context = json!({
        "alert": alert,
        "lengths": lengths,
        "hours": value(fields, "hours").unwrap_or("4"),
        "reason": value(fields, "reason").unwrap_or_default(),
        "problem": problem,
        "flash": null,
    });
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    page.send(status, "silence.html", "alerts/", context)
}
