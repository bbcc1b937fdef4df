//! Every lane: paused, resumed, and what waits in it.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use shared::operator::Role;

use super::page::{Fields, Page, flash, value};
use crate::api::ops::queues;
use crate::api::problem::{FieldError, Problem};

const QUEUES: &str = "/console/queues";

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    match queues::all(&page.scheduler).await {
        Ok(queues) => page.show(
            "queues.html",
            "queues",
            json!({ "queues": queues, "flash": flash(query.as_deref()) }),
        ),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

/// Says what a pause means, and asks why.
pub(super) async fn ask(page: Page, Path(lane): Path<String>) -> Response {
    if let Err(problem) = page.me.may(Role::Operator) {
        return page.refuse(&problem, QUEUES);
    }
    question(&page, &lane, None).await
}

pub(super) async fn pause(
    page: Page,
    Path(lane): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, QUEUES);
    }
    let reason = value(&fields, "reason")
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let Some(reason) = reason else {
        let error = FieldError::new("/reason", "is empty", "say in a few words why");
        return question(&page, &lane, Some(&Problem::of_fields(vec![error]))).await;
    };
    let reason: String = reason
        .replace(['\r', '\n'], " ")
        .chars()
        .take(500)
        .collect();
    switch(&page, &lane, false, Some(&reason)).await
}

pub(super) async fn resume(
    page: Page,
    Path(lane): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, QUEUES);
    }
    switch(&page, &lane, true, None).await
}

async fn switch(page: &Page, lane: &str, on: bool, reason: Option<&str>) -> Response {
    match queues::set(&page.scheduler, &page.me, lane, on, reason).await {
        Ok(()) => {
            let word = if on { "resumed" } else { "paused" };
            Redirect::to(&format!("{QUEUES}?flash={word}")).into_response()
        }
        Err(problem) => page.refuse(&problem, QUEUES),
    }
}

async fn question(page: &Page, lane: &str, problem: Option<&Problem>) -> Response {
    let queues = match queues::all(&page.scheduler).await {
        Ok(queues) => queues,
        Err(problem) => return page.refuse(&problem, QUEUES),
    };
    let meant = queues
        .items
        .iter()
        .filter(|it| lane == "all" || it.lane == lane);
    let (waiting, running) = meant.fold((0, 0), |(waiting, running), it| {
        (waiting + it.due + it.rung, running + it.running)
    });
    let context = json!({
        "lane": lane, "waiting": waiting, "running": running, "problem": problem, "reason": "", "flash": null,
    });
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    page.send(status, "pause.html", "queues/", context)
}
