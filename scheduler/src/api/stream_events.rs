use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::RETRY_AFTER;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use shared::store::events::{self, FeedCursor, Stretch};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::auth::Caller;
use super::documented_problems::OfStreaming;
use super::feed_event::FeedEvent;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::query::Params;
use super::read_events::CURSOR_FIX;
use crate::Scheduler;
use crate::tail::End;

/// Rest of a stream that could not read its news.
const REST: Duration = Duration::from_secs(1);
/// How often a silent stream says that it lives, so that proxies keep it open.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// A stream ends after this time and the client comes back with its cursor: a revoked token is then noticed.
const LONGEST: Duration = Duration::from_mins(15);
const PAGE: u64 = 100;

/// Follow the feed
///
/// Server-sent events: `id` is the cursor, `event` the type, `data` the event as in GET /v1/events. Begins with what comes
/// from now on; a client that comes back sends `Last-Event-ID` and misses nothing. Silent times are bridged by comments.
/// The bridge ends a stream after 15 minutes and when it stops; clients reconnect. Who comes back behind events that are no longer
/// kept gets 410 (`events-removed`), as in GET /v1/events.
#[utoipa::path(
    get,
    path = "/v1/events/stream",
    tag = "events",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was received; goes before `after`"),
        ("after" = Option<String>, Query, description = "A cursor of the feed to begin behind"),
    ),
    responses((status = 200, description = "The stream", body = FeedEvent, content_type = "text/event-stream"), OfStreaming),
    security(("token" = [])),
)]
pub(crate) async fn stream_events(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let mut params = Params::of(query.as_deref());
    let after = params.parsed::<FeedCursor>("after", CURSOR_FIX);
    params.finish()?;
    let Ok(permit) = Arc::clone(&scheduler.streams).try_acquire_owned() else {
        return Err(too_many(scheduler.settings.server.max_streams));
    };
    let (conn, source) = (scheduler.store.conn(), &caller.source);
    let cursor = match last_event_id(&headers)?.or(after) {
        Some(cursor) => match events::after(conn, source, Some(cursor), 1).await? {
            Stretch::Events(_) => Some(cursor),
            Stretch::Removed(newest) => return Err(Problem::of_removed_events(newest)),
        },
        None => events::latest(conn, source).await?,
    };
    let (stop, end) = (
        scheduler.stop.clone(),
        scheduler.tail.follow(&caller.source),
    );
    scheduler.feed_nudge.notify_one();
    let feed = Feed {
        scheduler,
        source: caller.source,
        cursor,
        end,
        read: VecDeque::new(),
        _permit: permit,
    };
    let stream = feed
        .into_stream()
        .take_until(stop.cancelled_owned())
        .take_until(tokio::time::sleep(LONGEST));
    let alive = KeepAlive::new()
        .interval(HEARTBEAT_EVERY)
        .text("still here");
    Ok((
        [("x-accel-buffering", "no")],
        Sse::new(stream).keep_alive(alive),
    ))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<FeedCursor>, Problem> {
    let Some(value) = headers
        .get("last-event-id")
        .filter(|value| !value.is_empty())
    else {
        return Ok(None);
    };
    let cursor = value.to_str().ok().and_then(|text| text.parse().ok());
    cursor.map(Some).ok_or_else(|| {
        let detail = "Last-Event-ID is no cursor of this feed. Send the last `id` that was received, or leave it out.";
        Problem::new(Kind::BadHeader, detail)
    })
}

fn too_many(streams: usize) -> Problem {
    let detail = format!(
        "{streams} event streams are open already. Read GET /v1/events instead, or raise server.max_streams in the \
         bridge's configuration."
    );
    Problem::new(Kind::TooManyStreams, detail).with_header(RETRY_AFTER, "60")
}

/// Events behind the cursor are no longer kept.
struct Gap;

/// A reader of the feed that waits at its end.
struct Feed {
    scheduler: Arc<Scheduler>,
    source: String,
    cursor: Option<FeedCursor>,
    end: watch::Receiver<End>,
    read: VecDeque<(FeedCursor, Event)>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    /// The next event; `None` when some are no longer kept: whoever comes back with the last cursor is told.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((cursor, event)) = self.read.pop_front() {
                self.cursor = Some(cursor);
                return Some(event);
            }
            if *self.end.borrow_and_update() > self.cursor {
                if self.look().await.is_err() {
                    return None;
                }
                if !self.read.is_empty() {
                    continue;
                }
                // The database is gone for a while.
                tokio::time::sleep(REST).await;
            } else if self.end.changed().await.is_err() {
                // The tail is dropped with the scheduler, which this reader holds.
                unreachable!("the tail lasts as long as its followers");
            }
        }
    }

    /// Reads the next page. A database that is gone for a while only delays the stream.
    async fn look(&mut self) -> Result<(), Gap> {
        match events::after(self.scheduler.store.conn(), &self.source, self.cursor, PAGE).await {
            Ok(Stretch::Events(page)) => self.read.extend(
                page.into_iter()
                    .map(|(cursor, event)| (cursor, written(cursor, event))),
            ),
            Ok(Stretch::Removed(_)) => return Err(Gap),
            Err(error) => {
                tracing::warn!(error = %error, source = self.source, "an event stream waits for the database");
            }
        }
        Ok(())
    }
}

fn written(cursor: FeedCursor, event: shared::event::RequestEvent) -> Event {
    let event = FeedEvent::of(cursor, event);
    let empty = Event::default()
        .id(event.cursor.clone())
        .event(event.kind.clone());
    empty.json_data(&event).unwrap_or_else(|error| {
        // Texts, numbers, ids and times always have a JSON form.
        unreachable!("an event has a JSON form: {error}")
    })
}
