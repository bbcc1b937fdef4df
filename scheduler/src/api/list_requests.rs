use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::request::RequestState;
use shared::store::requests::{self, Filter, ListCursor};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::documented_problems::OfReading;
use super::problem::Problem;
use super::query::Params;
use super::request_view::{RequestView, StateWord};
use crate::Scheduler;

const LONGEST_PAGE: u64 = 200;
const USUAL_PAGE: u64 = 50;

/// One page of requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestPage)]
pub(crate) struct RequestPage {
    /// The requests, newest first.
    items: Vec<RequestView>,
    /// `cursor` of the next page; null when there is nothing more to look at.
    next_cursor: Option<String>,
    /// When a page has looked for `text` in as many requests as it may before it was full: up to when it has looked. Older ones may hold it;
    /// the next page goes on from there.
    looked_back_to: Option<DateTime<Utc>>,
    /// Address of the next page; null when there is nothing more to look at.
    #[schema(format = "uri")]
    next: Option<String>,
}

/// What a list can be narrowed to. Documented here, read by [`filter`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the form of the query for the document; `filter` reads the query itself, to tell every problem"
)]
struct ListParams {
    /// Only in one of these states; repeat it, or put commas between.
    #[param(value_type = Option<Vec<StateWord>>)]
    state: Option<Vec<RequestState>>,
    /// Only of this category.
    #[param(max_length = 100)]
    category: Option<String>,
    /// Only served by this route.
    #[param(max_length = 100)]
    route: Option<String>,
    /// Only with this id of the source: at most one.
    #[param(max_length = 100)]
    external_id: Option<String>,
    /// Only for this person.
    #[param(max_length = 100)]
    requested_for: Option<String>,
    /// Only flagged for attention, or only not.
    attention: Option<bool>,
    /// Only taken in after this moment.
    created_after: Option<DateTime<Utc>>,
    /// Only taken in before this moment.
    created_before: Option<DateTime<Utc>>,
    /// Only with these words somewhere in external id, item, requester or requested_for; case does not matter. A page looks for them in
    /// 50,000 requests at most.
    #[param(max_length = 200)]
    text: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Requests on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// List requests
///
/// The source's own requests, newest first. Pages do not shift while requests come in: none is missed, none comes twice. A page with `text`
/// may be short, or empty, and not be the last: go on while there is a `next_cursor`.
#[utoipa::path(
    get,
    path = "/v1/requests",
    tag = "requests",
    params(ListParams),
    responses((status = 200, description = "One page", body = RequestPage), OfReading),
    security(("token" = [])),
)]
pub(crate) async fn list_requests(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<RequestPage>, Problem> {
    let mut params = Params::of(query.as_deref());
    let filter = Filter {
        source: Some(caller.source),
        ..filter(&mut params)
    };
    let after =
        params.parsed::<ListCursor>("cursor", "send next_cursor of the page before, unchanged");
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let conn = scheduler.store.conn();
    let found = requests::list(conn, &filter, after, limit).await?;
    let looked_back_to = found.looked_back_to;
    let next_cursor = found.next.map(|cursor| cursor.to_string());
    let items = RequestView::of_all(conn, found.requests).await?;
    let next = next_cursor
        .as_deref()
        .map(|cursor| next_link(&scheduler, query.as_deref(), cursor));
    Ok(Json(RequestPage {
        items,
        next_cursor,
        looked_back_to,
        next,
    }))
}

/// All but the source.
pub(crate) fn filter(params: &mut Params) -> Filter {
    let states = format!(
        "send one of {}",
        RequestState::ALL.map(RequestState::as_str).join(", ")
    );
    Filter {
        source: None,
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

/// The same list from `cursor` on.
fn next_link(scheduler: &Scheduler, query: Option<&str>, cursor: &str) -> String {
    let before = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| name != "cursor");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(before)
        .append_pair("cursor", cursor)
        .finish();
    format!(
        "{}/v1/requests?{query}",
        scheduler.settings.server.base_url()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_names_exactly_the_parameters_that_are_read() {
        let documented: BTreeSet<_> = ListParams::into_params(|| None)
            .into_iter()
            .map(|parameter| parameter.name)
            .collect();
        let query: Vec<_> = documented
            .iter()
            .map(|name| format!("{name}=%00"))
            .collect();
        let mut params = Params::of(Some(&query.join("&")));
        filter(&mut params);
        params.parsed::<ListCursor>("cursor", "");
        params.limit(1..=1, 1);
        let errors = params.finish().unwrap_err().errors;
        let wrong: BTreeSet<_> = errors.iter().map(|error| error.field.clone()).collect();
        assert_eq!(
            wrong, documented,
            "each refuses a null character by its own rule"
        );
        assert!(
            errors
                .iter()
                .all(|error| !error.problem.contains("not a parameter"))
        );
    }
}
