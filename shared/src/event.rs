//! What the outside is told about a request: the body of callbacks and of the pull feed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::request::{Request, RequestState};
use crate::ticket::Ticket;

/// A change of a request, as callbacks and `GET /v1/events` carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEvent {
    /// `request.accepted`, `request.fulfilled`, … : `request.` and the state; `request.updated` when the state stayed.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the change was stored.
    pub timestamp: DateTime<Utc>,
    /// The request after the change.
    pub data: RequestNews,
}

/// The request as told to its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestNews {
    /// Our id.
    pub id: Uuid,
    /// The source's id.
    pub external_id: String,
    /// Where it stands.
    pub state: RequestState,
    /// Why.
    pub reason: Option<String>,
    /// What needs a human, if anything.
    pub attention: Option<String>,
    /// Version of the request: a receiver drops news older than what it has.
    pub version: i64,
    /// Whether the requester may ask again (only after a denial or a cancellation).
    pub may_ask_again: bool,
    /// The ticket, once it exists.
    pub ticket: Option<TicketNews>,
}

/// The ticket as told to the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketNews {
    /// Name of the connection.
    pub connection: String,
    /// Table of the record.
    pub table: String,
    /// sys_id of the record.
    pub sys_id: String,
    /// Number people use.
    pub number: Option<String>,
    /// Raw `state` in ServiceNow.
    pub state: Option<String>,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// Close notes, once closed.
    pub close_notes: Option<String>,
}

impl RequestEvent {
    /// The news of `request`, whose state was `before` (or did not exist).
    pub fn of(request: &Request, ticket: Option<&Ticket>, before: Option<RequestState>) -> Self {
        let kind = match before {
            Some(before) if before == request.state => "request.updated".to_owned(),
            _ => format!("request.{}", request.state),
        };
        Self {
            kind,
            timestamp: request.updated_at,
            data: RequestNews::of(request, ticket),
        }
    }
}

impl RequestNews {
    /// What the source may know of `request` and its ticket.
    pub fn of(request: &Request, ticket: Option<&Ticket>) -> Self {
        Self {
            id: request.id,
            external_id: request.asked.external_id.clone(),
            state: request.state,
            reason: request.reason.clone(),
            attention: request.attention.clone(),
            version: request.version,
            may_ask_again: matches!(
                request.state,
                RequestState::Denied | RequestState::Cancelled
            ),
            ticket: ticket.filter(|it| it.exists).and_then(TicketNews::of),
        }
    }
}

impl TicketNews {
    fn of(ticket: &Ticket) -> Option<Self> {
        Some(Self {
            connection: ticket.connection.clone(),
            table: ticket.kind.table().to_owned(),
            sys_id: ticket.sys_id.clone()?,
            number: ticket.number.clone(),
            state: ticket.state.clone(),
            assigned_to: ticket.assigned_to.clone(),
            close_notes: ticket.close_notes.clone(),
        })
    }
}
