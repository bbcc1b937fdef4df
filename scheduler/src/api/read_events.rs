use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use shared::store::events::{self, FeedCursor, Stretch};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::documented_problems::OfReadingEvents;
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
    /// What to send as `after` next time, also when there was nothing new; null only when none was sent and no event is kept.
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
    /// Only behind this cursor. Left out: from the oldest event on that is kept.
    after: Option<String>,
    /// Most events of one answer.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u64>,
}

/// Read the feed
///
/// Every change of the source's requests, in an order that never changes and never skips one. For systems that cannot take
/// callbacks: keep `next_cursor`, and come back with it.
///
/// Events are kept for `retention.events_days`. Who comes back later gets 410 (`events-removed`) and not a feed with a gap: read the
/// requests with GET /v1/requests, then go on behind the `next_cursor` of that answer.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(EventParams),
    responses((status = 200, description = "What happened since", body = EventPage), OfReadingEvents),
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
    let conn = scheduler.store.conn();
    let found = match events::after(conn, &caller.source, after, limit).await? {
        Stretch::Events(found) => found,
        Stretch::Removed(newest) => return Err(Problem::of_removed_events(newest)),
    };
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
