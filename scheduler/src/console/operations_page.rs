//! What people have done with jobs, and what is being done.

use axum::Form;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use shared::store::operations as store;

use super::page::{Fields, Page, flash};
use crate::api::ops::operation_view::OperationView;
use crate::api::ops::operations;

const OPERATIONS: &str = "/console/operations";
const SHOWN: u64 = 100;

pub(super) async fn list(page: Page, RawQuery(query): RawQuery) -> Response {
    match store::list(page.scheduler.store.conn(), SHOWN).await {
        Ok(all) => {
            let all: Vec<OperationView> = all.into_iter().map(OperationView::from).collect();
            let context = json!({ "operations": all, "flash": flash(query.as_deref()) });
            page.show("operations.html", "jobs/", context)
        }
        Err(error) => page.refuse(&error.into(), "/console/jobs"),
    }
}

pub(super) async fn show(
    page: Page,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match operations::found(&page.scheduler, &id).await {
        Ok(found) => {
            let context = json!({ "operation": OperationView::from(found), "flash": flash(query.as_deref()) });
            page.show("operation.html", "jobs/", context)
        }
        Err(problem) => page.refuse(&problem, OPERATIONS),
    }
}

pub(super) async fn stop(
    page: Page,
    Path(id): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, OPERATIONS);
    }
    match operations::stop(&page.scheduler, &page.me, &id).await {
        Ok(stopped) => {
            Redirect::to(&format!("{OPERATIONS}/{}?flash=stopped", stopped.id)).into_response()
        }
        Err(problem) => page.refuse(&problem, OPERATIONS),
    }
}
