use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::request::RequestState;
use shared::store::requests::{self, Filter, ListCursor};
use shared::store::tickets;
use shared::ticket::Ticket;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
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
    /// Only with this text in item, people or external id.
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
    /// Where the next page begins; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// Find requests
///
/// Of all sources, newest first. What people wrote (justification, attributes) is not shown to viewers.
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
    let filter = filter(&mut params);
    let after =
        params.parsed::<ListCursor>("cursor", "send next_cursor of the page before, unchanged");
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let conn = scheduler.store.conn();
    let (found, next) = requests::list(conn, &filter, after, limit).await?;
    let ids: Vec<Uuid> = found.iter().map(|request| request.id).collect();
    let mut tickets: HashMap<Uuid, Ticket> = tickets::of_requests(conn, &ids)
        .await?
        .into_iter()
        .map(|ticket| (ticket.request_id, ticket))
        .collect();
    let items = found
        .into_iter()
        .map(|request| {
            let ticket = tickets.remove(&request.id);
            RequestView::of(request, ticket).seen_by(operating.role)
        })
        .collect();
    Ok(OpsRequestPage {
        items,
        next_cursor: next.map(|cursor| cursor.to_string()),
    })
}

fn filter(params: &mut Params) -> Filter {
    let states = format!(
        "send one of {}",
        RequestState::ALL.map(RequestState::as_str).join(", ")
    );
    Filter {
        source: params.text("source", 100),
        state: params.list("state", &states),
        category: params.text("category", 100),
        route: params.text("route", 100),
        external_id: params.text("external_id", 100),
        requested_for: params.text("requested_for", 100),
        attention: params.flag("attention"),
        created_after: params.time("created_after"),
        created_before: params.time("created_before"),
        text: params.text("text", 200),
    }
}
