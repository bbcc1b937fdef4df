use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::requests::{self, Filter, ListCursor};
use utoipa::{IntoParams, ToSchema};

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::list_requests::filter;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::request_view::RequestView;

const USUAL_PAGE: u64 = 50;
const LONGEST_PAGE: u64 = 500;

/// Which requests, of all sources.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it is for the document; the query is read by hand"
)]
pub(crate) struct OpsRequestParams {
    /// Only of this source.
    #[param(example = "idm")]
    source: Option<String>,
    /// Only these states; several with commas.
    #[param(example = "open,in_progress")]
    state: Option<String>,
    /// Only of this category.
    category: Option<String>,
    /// Only of this route.
    route: Option<String>,
    /// Only with this id of the source.
    external_id: Option<String>,
    /// Only for this person.
    requested_for: Option<String>,
    /// Only those that somebody should look at, or only the others.
    attention: Option<bool>,
    /// Only taken in after then.
    created_after: Option<DateTime<Utc>>,
    /// Only taken in before then.
    created_before: Option<DateTime<Utc>>,
    /// Only with this text in item, people or external id. A page looks for it in 50,000 requests at most.
    text: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many; 50 when not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u64>,
}

/// A page of requests, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorRequestPage)]
pub(crate) struct OpsRequestPage {
    pub(crate) items: Vec<RequestView>,
    /// Where the next page begins; null when there is nothing more to look at.
    pub(crate) next_cursor: Option<String>,
    /// When a page has looked for `text` in as many requests as it may before it was full: up to when it has looked. Older ones may hold it.
    pub(crate) looked_back_to: Option<DateTime<Utc>>,
}

/// Find requests
///
/// Of all sources, newest first. What people wrote (justification, attributes) is not shown to viewers. A page looks for `text` in 50,000
/// requests at most; when that was not enough to fill it, it says how far back it came, and the next page goes on from there.
#[utoipa::path(
    get,
    path = "/v1/ops/requests",
    tag = "operators",
    params(OpsRequestParams),
    responses((status = 200, description = "A page of requests", body = OpsRequestPage), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_ops_requests(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<OpsRequestPage>, Problem> {
    Ok(Json(page(&scheduler, &operating, query.as_deref()).await?))
}

pub(crate) async fn page(
    scheduler: &Scheduler,
    operating: &Operating,
    query: Option<&str>,
) -> Result<OpsRequestPage, Problem> {
    let mut params = Params::of(query);
    let filter = Filter {
        source: params.text("source", 100),
        ..filter(&mut params)
    };
    let after =
        params.parsed::<ListCursor>("cursor", "send next_cursor of the page before, unchanged");
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let conn = scheduler.store.conn();
    let found = requests::list(conn, &filter, after, limit).await?;
    let items = RequestView::of_all(conn, found.requests)
        .await?
        .into_iter()
        .map(|view| view.seen_by(operating.role))
        .collect();
    Ok(OpsRequestPage {
        items,
        next_cursor: found.next.map(|cursor| cursor.to_string()),
        looked_back_to: found.looked_back_to,
    })
}
