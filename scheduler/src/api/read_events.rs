use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use shared::store::events::{self, FeedCursor};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::documented_problems::OfReading;
use super::feed_event::FeedEvent;
use super::problem::Problem;
use super::query::Params;
use crate::Scheduler;

const LONGEST_PAGE: u64 = 500;
const USUAL_PAGE: u64 = 100;
pub(crate) const CURSOR_FIX: &str = "send a cursor of this feed, unchanged";

/// A stretch of the feed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(crate) struct EventPage {
    /// The events, oldest first.
    items: Vec<FeedEvent>,
    /// What to send as `after` next time, also when there was nothing new; null only as long as there never was an event.
    next_cursor: Option<String>,
    /// Whether more can be read at once.
    more: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the form of the query for the document; the operation reads the query itself"
)]
struct EventParams {
    /// Only behind this cursor. Left out: from the beginning.
    after: Option<String>,
    /// Most events of one answer.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u64>,
}

/// Read the feed
///
/// Every change of the source's requests, in an order that never changes and never skips one. For systems that cannot take
/// callbacks: keep `next_cursor`, and come back with it.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(EventParams),
    responses((status = 200, description = "What happened since", body = EventPage), OfReading),
    security(("token" = [])),
)]
pub(crate) async fn read_events(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, Problem> {
    let mut params = Params::of(query.as_deref());
    let after = params.parsed::<FeedCursor>("after", CURSOR_FIX);
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let found = events::after(scheduler.store.conn(), &caller.source, after, limit).await?;
    let more = found.len() as u64 == limit;
    let next_cursor = found
        .last()
        .map(|(cursor, _)| *cursor)
        .or(after)
        .map(|cursor| cursor.to_string());
    let items = found
        .into_iter()
        .map(|(cursor, event)| FeedEvent::of(cursor, event))
        .collect();
    Ok(Json(EventPage {
        items,
        next_cursor,
        more,
    }))
}
