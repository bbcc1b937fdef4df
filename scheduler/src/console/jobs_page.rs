//! Every piece of work: search, filter, tick, act.

use axum::extract::RawQuery;
use axum::response::Response;
use serde_json::json;
use shared::job::{JobKind, JobState};
use shared::store::jobs::JobFilter;

use super::page::{Page, flash};
use super::query::{again, chosen, export, for_api, for_template, windows, without_place};
use crate::api::ops::{list_jobs, queues};
use crate::api::problem::Problem;
use crate::api::query::Params;

const NAMES: [&str; 11] = [
    "state",
    "kind",
    "lane",
    "error_class",
    "text",
    "window",
    "created_after",
    "created_before",
    "finished_after",
    "finished_before",
    "cursor",
];

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    let chosen = chosen(query.as_deref());
    let asked = for_api(&chosen, "created_after", page.scheduler.now());
    let (found, problem) = match list_jobs::page(&page.scheduler, &page.me, Some(&asked)).await {
        Ok(found) => (found, None),
        // A filter that does not read shows the page as it is without jobs, and what is wrong.
        Err(problem) if problem.http_status().is_client_error() => (none(), Some(problem)),
        Err(problem) => return page.refuse(&problem, "/console/jobs"),
    };
    let lanes = match queues::all(&page.scheduler).await {
        Ok(queues) => queues
            .items
            .into_iter()
            .map(|it| it.lane)
            .collect::<Vec<_>>(),
        Err(problem) => return page.refuse(&problem, "/console/jobs"),
    };
    let again = again(&chosen);
    let more = export(&chosen, "created_after", page.scheduler.now());
    let context = json!({
        "page": found,
        "problem": problem,
        "chosen": for_template(&chosen, &NAMES),
        "query": again,
        "query_more": more,
        "states": JobState::ALL.map(JobState::as_str),
        "kinds": JobKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "lanes": lanes,
        "windows": windows(),
        "flash": flash(query.as_deref()),
    });
    page.show("jobs.html", "jobs", context)
}

fn none() -> list_jobs::OpsJobPage {
    list_jobs::OpsJobPage {
        items: Vec::new(),
        next_cursor: None,
        looked_back_to: None,
    }
}

/// The filter of a query of this page, for pages that act on it.
pub(super) fn filter_of(query: &str, page: &Page) -> Result<JobFilter, Problem> {
    let chosen = without_place(&chosen(Some(query)));
    let asked = for_api(&chosen, "created_after", page.scheduler.now());
    let mut params = Params::of(Some(&asked));
    let filter = list_jobs::filter(&mut params);
    params.finish()?;
    Ok(filter)
}
