//! How many jobs of a lane each worker runs at a time: what holds, and another figure.

use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use shared::config::WorkerSettings;
use shared::operator::Role;

use super::page::{Fields, Page, value};
use crate::api::ops::concurrency::{self, NewLimit};
use crate::api::ops::queues;
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;

const QUEUES: &str = "/console/queues";

/// What was typed, to be shown again when something is wrong with it.
#[derive(Default)]
struct Typed<'a> {
    jobs: Option<&'a str>,
    reason: &'a str,
}

/// Shows what holds, and asks for more or less.
pub(super) async fn ask(page: Page, Path(lane): Path<String>) -> Response {
    if let Err(problem) = page.me.may(Role::Operator) {
        return page.refuse(&problem, QUEUES);
    }
    question(&page, &lane, &Typed::default(), None).await
}

/// Sets it, or goes back to what is configured.
pub(super) async fn set(
    page: Page,
    Path(lane): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, QUEUES);
    }
    let typed = Typed {
        jobs: value(&fields, "jobs"),
        reason: value(&fields, "reason").unwrap_or_default(),
    };
    let new = match read(&fields, &typed) {
        Ok(new) => new,
        Err(problem) => return question(&page, &lane, &typed, Some(&problem)).await,
    };
    match concurrency::set(&page.scheduler, &page.me, &lane, &new).await {
        Ok(()) => Redirect::to(&format!("{QUEUES}?flash=set")).into_response(),
        Err(problem) if problem.kind == Kind::Validation => {
            question(&page, &lane, &typed, Some(&problem)).await
        }
        Err(problem) => page.refuse(&problem, QUEUES),
    }
}

fn read(fields: &Fields, typed: &Typed<'_>) -> Result<NewLimit, Problem> {
    let wrong = |field: &str, problem: &str, fix: &str| {
        Problem::of_fields(vec![FieldError::new(field, problem, fix)])
    };
    let jobs = if value(fields, "do") == Some("default") {
        None
    } else {
        let number = typed.jobs.unwrap_or_default().trim().parse();
        let number = number.map_err(|_| {
            wrong(
                "/jobs",
                "is no whole number",
                "type how many jobs may run at a time",
            )
        })?;
        Some(number)
    };
    let expected = value(fields, "expected").map(str::parse).transpose();
    let expected = expected.map_err(|_| {
        wrong(
            "/expected",
            "does not read",
            "begin again from the list of lanes",
        )
    })?;
    let reason = typed.reason.trim().replace(['\r', '\n'], " ");
    if reason.is_empty() {
        return Err(wrong("/reason", "is empty", "say in a few words why"));
    }
    Ok(NewLimit {
        jobs,
        expected,
        reason: Some(reason.chars().take(500).collect()),
    })
}

async fn question(
    page: &Page,
    lane: &str,
    typed: &Typed<'_>,
    problem: Option<&Problem>,
) -> Response {
    let queues = match queues::all(&page.scheduler).await {
        Ok(queues) => queues,
        Err(problem) => return page.refuse(&problem, QUEUES),
    };
    let kind = match concurrency::kind_of(&page.scheduler, lane) {
        Ok(kind) => kind,
        Err(problem) => return page.refuse(&problem, QUEUES),
    };
    let queue = queues.items.into_iter().find(|it| it.lane == lane);
    let holds = queue.as_ref().and_then(|it| it.concurrency.as_ref());
    let jobs = holds.map(|it| it.jobs.to_string());
    let context = json!({
        "lane": lane,
        "queue": queue,
        "concurrency": holds,
        "most": WorkerSettings::most_concurrency(kind),
        "jobs": typed.jobs.map(str::to_owned).or(jobs),
        "reason": typed.reason,
        "problem": problem,
        "flash": null,
    });
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    page.send(status, "concurrency.html", "queues/", context)
}
