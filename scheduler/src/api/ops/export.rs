use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use shared::operator::Role;
use shared::store::audit::{self as trail, AuditFilter, Entry};
use shared::store::jobs::{self, JobFilter};
use utoipa::IntoParams;

use super::audit::{self, AuditView};
use super::caller::Operating;
use super::job_view::OpsJobView;
use super::list_jobs;
use super::table::{Format, Table};
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::problem::Problem;
use crate::api::query::Params;

/// Rows that are read at a time.
const PAGE: u64 = 500;

/// As what to export. The filters of the list hold, too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it is for the document; the query is read by hand"
)]
pub(crate) struct ExportParams {
    /// `csv` or `jsonl`; `csv` when not given.
    #[param(example = "csv")]
    format: Option<String>,
}

/// Export jobs
///
/// All that match the filter of GET /v1/ops/jobs, newest first, as CSV or as one JSON object a line. No cell of the CSV begins like a
/// formula. What is stored when it begins is exported; who did it goes into the audit trail.
#[utoipa::path(
    get,
    path = "/v1/ops/jobs/export",
    tag = "operators",
    params(ExportParams),
    responses((status = 200, description = "The file", content_type = "text/csv", body = String), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn export_jobs(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref());
    let format = format(&mut params);
    let filter = list_jobs::filter(&mut params);
    params.finish()?;
    tell(&scheduler, &operating, "jobs", json!(filter)).await?;
    let rows = job_rows(scheduler, operating.role, filter);
    Ok(file("jobs", format, &JOB_COLUMNS, rows))
}

/// Export the audit trail
///
/// All that match the filter of GET /v1/ops/audit, newest first.
#[utoipa::path(
    get,
    path = "/v1/ops/audit/export",
    tag = "operators",
    params(ExportParams),
    responses((status = 200, description = "The file", content_type = "text/csv", body = String), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn export_audit(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref());
    let format = format(&mut params);
    let filter = audit::filter(&mut params);
    params.finish()?;
    tell(&scheduler, &operating, "audit", json!({ "query": query })).await?;
    let rows = audit_rows(scheduler, filter);
    Ok(file("audit", format, &AUDIT_COLUMNS, rows))
}

const JOB_COLUMNS: [&str; 16] = [
    "id",
    "kind",
    "state",
    "lane",
    "connection",
    "request_id",
    "priority",
    "attempts",
    "claims",
    "due_at",
    "created_at",
    "first_started_at",
    "updated_at",
    "finished_at",
    "error_class",
    "error",
];

const AUDIT_COLUMNS: [&str; 10] = [
    "id",
    "at",
    "actor",
    "action",
    "subject_kind",
    "subject_id",
    "from",
    "to",
    "reason",
    "detail",
];

type Rows = Result<Vec<Value>, Problem>;

fn job_rows(
    scheduler: Arc<Scheduler>,
    role: Role,
    filter: JobFilter,
) -> impl Stream<Item = Rows> + Send + 'static {
    stream::unfold(Some(None), move |place| {
        let (scheduler, filter) = (Arc::clone(&scheduler), filter.clone());
        async move {
            let after = place?;
            let conn = scheduler.store.conn();
            match jobs::search(conn, &filter, after, PAGE).await {
                Ok(page) => {
                    let rows = page
                        .jobs
                        .into_iter()
                        .map(|job| json!(OpsJobView::of(job, role)));
                    Some((Ok(rows.collect()), page.next.map(Some)))
                }
                Err(error) => Some((Err(error.into()), None)),
            }
        }
    })
}

fn audit_rows(
    scheduler: Arc<Scheduler>,
    filter: AuditFilter,
) -> impl Stream<Item = Rows> + Send + 'static {
    stream::unfold(Some(None), move |place| {
        let (scheduler, filter) = (Arc::clone(&scheduler), filter.clone());
        async move {
            let after = place?;
            match trail::search(scheduler.store.conn(), &filter, after, PAGE).await {
                Ok(page) => {
                    let rows = page
                        .entries
                        .into_iter()
                        .map(|row| json!(AuditView::from(row)));
                    Some((Ok(rows.collect()), page.next.map(Some)))
                }
                Err(error) => Some((Err(error.into()), None)),
            }
        }
    })
}

/// Sent page by page, so that a million rows need no memory. An error in the middle breaks the file off, which a browser tells.
fn file(
    name: &str,
    format: Format,
    columns: &'static [&'static str],
    rows: impl Stream<Item = Rows> + Send + 'static,
) -> Response {
    use futures::StreamExt as _;
    let table = Table::new(format, columns);
    let head = stream::once(std::future::ready(Ok(Bytes::from(table.head()))));
    let body = rows.map(move |page| match page {
        Ok(page) => Ok(Bytes::from(table.rows(&page))),
        Err(problem) => Err(std::io::Error::other(problem.detail)),
    });
    let disposition = format!("attachment; filename=\"{name}.{}\"", format.extension());
    (
        [
            (CONTENT_TYPE, format.content_type().to_owned()),
            (CONTENT_DISPOSITION, disposition),
        ],
        Body::from_stream(head.chain(body)),
    )
        .into_response()
}

fn format(params: &mut Params) -> Format {
    params
        .parsed("format", "send csv or jsonl")
        .unwrap_or(Format::Csv)
}

async fn tell(
    scheduler: &Scheduler,
    operating: &Operating,
    what: &str,
    filter: Value,
) -> Result<(), Problem> {
    let actor = operating.actor();
    let entry = Entry {
        actor: &actor,
        action: "export.made",
        subject_kind: "export",
        subject_id: what,
        from: None,
        to: None,
        reason: None,
        detail: json!({ "filter": filter, "address": operating.address }),
    };
    Ok(trail::append(scheduler.store.conn(), &entry, scheduler.now()).await?)
}
