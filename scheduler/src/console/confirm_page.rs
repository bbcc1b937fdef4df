//! What is going to happen with jobs, in numbers and words, before it happens; then it does.

use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared::operator::Role;
use shared::store::jobs::JobAction;

use super::jobs_page::filter_of;
use super::page::{Fields, Page, value};
use crate::api::ops::new_operation::{NewOperation, spoken};
use crate::api::ops::operations::begin;
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;

const JOBS: &str = "/console/jobs";

/// Counts, and asks.
pub(super) async fn show(page: Page, Form(fields): Form<Fields>) -> Response {
    let back = value(&fields, "filter").unwrap_or_default().to_owned();
    let plan = match plan(&page, &fields) {
        Ok(Some(plan)) => plan,
        Ok(None) => return Redirect::to(&format!("{JOBS}?{back}&flash=nothing")).into_response(),
        Err(problem) => return page.refuse(&problem, JOBS),
    };
    ask(&page, plan, &back, None).await
}

/// Does what was confirmed.
pub(super) async fn carry_out(page: Page, Form(fields): Form<Fields>) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, JOBS);
    }
    let Some(mut plan) = value(&fields, "plan").and_then(decoded) else {
        let problem = Problem::new(
            Kind::MalformedBody,
            "The form does not say what is to be done. Begin again from the list of jobs.",
        );
        return page.refuse(&problem, JOBS);
    };
    plan["wait_for_circuit"] = json!(value(&fields, "wait").is_some());
    let reason = value(&fields, "reason")
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let Some(reason) = reason else {
        let error = FieldError::new("/reason", "is empty", "say in a few words why");
        return ask(&page, plan, "", Some(&Problem::of_fields(vec![error]))).await;
    };
    plan["reason"] = json!(reason.replace(['\r', '\n'], " "));
    let new = match NewOperation::read(&plan) {
        Ok(new) => new,
        Err(problem) => return ask(&page, plan, "", Some(&problem)).await,
    };
    match begin(&page.scheduler, &page.me, new).await {
        Ok(begun) => {
            Redirect::to(&format!("/console/operations/{}?flash=begun", begun.id)).into_response()
        }
        Err(problem) => page.refuse(&problem, JOBS),
    }
}

/// What is asked for; `None` when no job was ticked.
fn plan(page: &Page, fields: &Fields) -> Result<Option<Value>, Problem> {
    page.check(fields)?;
    page.me.may(Role::Operator)?;
    let asked = value(fields, "do").unwrap_or_default();
    let (action, is_paced) = match asked {
        "retry-paced" => ("retry", true),
        other => (other, false),
    };
    let mut plan = json!({ "action": action });
    if is_paced {
        let rate = value(fields, "rate").unwrap_or_default();
        plan["per_minute"] = rate
            .parse::<u32>()
            .map_or_else(|_| json!(rate), |rate| json!(rate));
    }
    if value(fields, "scope") == Some("matching") {
        let filter = filter_of(value(fields, "filter").unwrap_or_default(), page)?;
        plan["filter"] = json!(filter);
        return Ok(Some(plan));
    }
    let ids: Vec<&str> = fields
        .iter()
        .filter(|(name, _)| name == "job")
        .map(|(_, id)| id.as_str())
        .collect();
    if ids.is_empty() {
        return Ok(None);
    }
    plan["ids"] = json!(ids);
    Ok(Some(plan))
}

async fn ask(page: &Page, mut plan: Value, back: &str, problem: Option<&Problem>) -> Response {
    // What was typed is shown again, whatever is wrong with it.
    let reason = plan["reason"].take();
    let new = match NewOperation::read(&plan) {
        Ok(new) => new,
        Err(problem) => return page.refuse(&problem, JOBS),
    };
    let planned = match new.plan(&page.scheduler).await {
        Ok(planned) => planned,
        Err(problem) => return page.refuse(&problem, JOBS),
    };
    // What was counted is what is done, or nothing is.
    plan["expected"] = json!(planned.matched);
    if !planned.ids.is_empty() {
        plan["ids"] = json!(planned.ids);
    }
    let status = problem.map_or(StatusCode::OK, Problem::http_status);
    let context = json!({
        "verb": spoken(new.action),
        "matched": planned.matched,
        "will": planned.words,
        "may_wait": !planned.held.is_empty() && new.per_minute.is_none(),
        "waits": new.wait_for_circuit,
        "dangerous": matches!(new.action, JobAction::Cancel | JobAction::Kill),
        "plan": encoded(&plan),
        "reason": reason.as_str().unwrap_or_default(),
        "back": back,
        "problem": problem,
        "flash": null,
    });
    page.send(status, "confirm.html", "jobs/", context)
}

fn encoded(plan: &Value) -> String {
    URL_SAFE_NO_PAD.encode(plan.to_string())
}

fn decoded(text: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}
