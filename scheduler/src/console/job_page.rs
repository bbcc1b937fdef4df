//! One job: why it stands where it stands, its runs and their calls.

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde_json::json;
use shared::store::switches::{self, PausedLanes};
use shared::store::{circuits, jobs, requests};

use super::page::{Page, flash};
use crate::api::ops::show_job;
use crate::api::ops::why::{Verdict, why_job};
use crate::api::problem::Problem;

pub(super) async fn show(
    page: Page,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let detail = match show_job::detail(&page.scheduler, &page.me, &id).await {
        Ok(detail) => detail,
        Err(problem) => return page.refuse(&problem, "/console/jobs"),
    };
    let verdict = match verdict(&page, detail.job.id).await {
        Ok(verdict) => verdict,
        Err(problem) => return page.refuse(&problem, "/console/jobs"),
    };
    let mut job = json!(detail.job);
    job["attempts_made"] = json!(detail.runs);
    page.show(
        "job.html",
        "jobs/",
        json!({ "job": job, "verdict": verdict, "flash": flash(query.as_deref()) }),
    )
}

async fn verdict(page: &Page, id: uuid::Uuid) -> Result<Verdict, Problem> {
    let conn = page.scheduler.store.conn();
    let job = jobs::find(conn, id).await?.ok_or_else(Problem::internal)?;
    let circuits = circuits::all(conn).await?;
    let paused = PausedLanes::of(&switches::get_all(conn).await?);
    let request = match job.request_id {
        Some(id) => requests::find(conn, id).await?,
        None => None,
    };
    Ok(why_job(
        &job,
        &circuits,
        &paused,
        request.as_ref(),
        page.scheduler.now(),
    ))
}
