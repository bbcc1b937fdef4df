use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::requests::{self, Filter, RequestPage};
use shared::store::{jobs, tickets};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::request_view::RequestView;

/// Requests that are shown at most.
const SHOWN: u64 = 50;

/// What to look for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it is for the document; the query is read by hand"
)]
pub(crate) struct SearchParams {
    /// An id of a request or job, a ticket number, a sys_id, an external id, a person, or words.
    #[param(example = "INC0010001")]
    q: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Found {
    /// Requests, newest first.
    pub(crate) requests: Vec<RequestView>,
    /// The job of that id.
    pub(crate) job: Option<Uuid>,
    /// When words were looked for: up to when. Older requests may hold them.
    pub(crate) looked_back_to: Option<DateTime<Utc>>,
}

/// Find anything
///
/// By the id of a request or a job, the number or sys_id of a ticket, the external id of a request, the person it is for; and if nothing
/// is called so, by words in the newest 50,000 requests.
#[utoipa::path(
    get,
    path = "/v1/ops/search",
    tag = "operators",
    params(SearchParams),
    responses((status = 200, description = "What was found", body = Found), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn find_anything(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<Found>, Problem> {
    let mut params = Params::of(query.as_deref());
    let text = params.text("q", 200).unwrap_or_default();
    params.finish()?;
    Ok(Json(search(&scheduler, &operating, &text).await?))
}

pub(crate) async fn search(
    scheduler: &Scheduler,
    operating: &Operating,
    text: &str,
) -> Result<Found, Problem> {
    let mut found = Found {
        requests: Vec::new(),
        job: None,
        looked_back_to: None,
    };
    if text.is_empty() {
        return Ok(found);
    }
    let conn = scheduler.store.conn();
    let mut ids = BTreeSet::new();
    if let Ok(id) = text.parse::<Uuid>() {
        found.job = jobs::find(conn, id).await?.map(|job| job.id);
        ids.insert(id);
    }
    ids.extend(tickets::called(conn, text, &tables(scheduler)).await?);
    let mut requests = requests::find_all(conn, &ids.into_iter().collect::<Vec<_>>()).await?;
    let sources: Vec<String> = scheduler.settings.sources.keys().cloned().collect();
    requests.extend(requests::by_external_id(conn, &sources, text).await?);
    requests.extend(
        list(
            scheduler,
            Filter {
                requested_for: Some(text.to_owned()),
                ..Filter::default()
            },
        )
        .await?
        .requests,
    );
    if requests.is_empty() && found.job.is_none() {
        let words = Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        let page = list(scheduler, words).await?;
        found.looked_back_to = page.looked_back_to;
        requests = page.requests;
    }
    requests.sort_by_key(|request| std::cmp::Reverse(request.id));
    requests.dedup_by_key(|request| request.id);
    found.requests = RequestView::of_all(conn, requests)
        .await?
        .into_iter()
        .map(|view| view.seen_by(operating.role))
        .collect();
    Ok(found)
}

async fn list(scheduler: &Scheduler, filter: Filter) -> Result<RequestPage, Problem> {
    Ok(requests::list(scheduler.store.conn(), &filter, None, SHOWN).await?)
}

/// The tables of each connection that routes write to.
fn tables(scheduler: &Scheduler) -> Vec<(String, String)> {
    let all: BTreeSet<_> = scheduler
        .routes
        .iter()
        .map(|route| (route.connection.clone(), route.kind.table().to_owned()))
        .collect();
    all.into_iter().collect()
}
