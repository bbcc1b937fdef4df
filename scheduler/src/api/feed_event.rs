//! An event of the feed. The same body, without the cursor, is what callbacks carry.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::event::{RequestEvent, RequestNews, TicketNews};
use shared::request::RequestState;
use shared::store::events::FeedCursor;
use utoipa::ToSchema;
use uuid::Uuid;

use super::request_view::StateWord;

/// A change of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Event, example = json!({
    "cursor": "AAAAAAAAAAc",
    "type": "request.fulfilled",
    "timestamp": "2030-03-02T10:15:00Z",
    "data": {
        "id": "019cadc6-9a80-7e43-be06-b70e01ae413f", "external_id": "REQ-2030-0001", "state": "fulfilled",
        "reason": "Role assigned.", "attention": null, "version": 4, "may_ask_again": false,
        "ticket": {
            "connection": "main", "table": "incident", "sys_id": "9d385017c611228701d22104cc95c371",
            "number": "INC0010001", "state": "7", "assigned_to": "Nina Agent", "close_notes": "Role assigned."
        }
    }
}))]
pub(crate) struct FeedEvent {
    /// Where the feed stands behind this event: send it as `after`, or as `Last-Event-ID`.
    pub(crate) cursor: String,
    /// `request.` and the new state, or `request.updated` when the state stayed.
    #[serde(rename = "type")]
    #[schema(example = "request.fulfilled")]
    pub(crate) kind: String,
    /// When the change was stored.
    timestamp: DateTime<Utc>,
    /// The request after the change.
    data: News,
}

/// A request as its source is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RequestNews)]
struct News {
    /// The bridge's id.
    id: Uuid,
    /// The source's id.
    external_id: String,
    /// Where it stands.
    #[schema(value_type = StateWord)]
    state: RequestState,
    /// Why.
    reason: Option<String>,
    /// What needs a human, if anything.
    attention: Option<String>,
    /// Version of the request: drop news that are older than what you have.
    version: i64,
    /// Whether the same access may be asked for again.
    may_ask_again: bool,
    /// The ticket, once it exists.
    ticket: Option<NewsOfTicket>,
}

/// A ticket as its source is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TicketNews)]
struct NewsOfTicket {
    /// Name of the connection.
    connection: String,
    /// Table of the record.
    table: String,
    /// sys_id of the record.
    sys_id: String,
    /// Number people use.
    number: Option<String>,
    /// Raw `state` in ServiceNow.
    state: Option<String>,
    /// Who works on it.
    assigned_to: Option<String>,
    /// Close notes, once closed.
    close_notes: Option<String>,
}

impl FeedEvent {
    pub(crate) fn of(cursor: FeedCursor, event: RequestEvent) -> Self {
        Self {
            cursor: cursor.to_string(),
            kind: event.kind,
            timestamp: event.timestamp,
            data: event.data.into(),
        }
    }
}

impl From<RequestNews> for News {
    fn from(news: RequestNews) -> Self {
        Self {
            id: news.id,
            external_id: news.external_id,
            state: news.state,
            reason: news.reason,
            attention: news.attention,
            version: news.version,
            may_ask_again: news.may_ask_again,
            ticket: news.ticket.map(NewsOfTicket::from),
        }
    }
}

impl From<TicketNews> for NewsOfTicket {
    fn from(news: TicketNews) -> Self {
        Self {
            connection: news.connection,
            table: news.table,
            sys_id: news.sys_id,
            number: news.number,
            state: news.state,
            assigned_to: news.assigned_to,
            close_notes: news.close_notes,
        }
    }
}
