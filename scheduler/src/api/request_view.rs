//! A request as its source sees it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::Value;
use shared::operator::Role;
use shared::request::{Request, RequestState};
use shared::store::{StoreError, tickets};
use shared::ticket::{Ticket, TicketKind};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// A stored request, where it stands, and its ticket.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Request, example = json!({
    "id": "019cadc6-9a80-7e43-be06-b70e01ae413f",
    "source": "idm",
    "external_id": "REQ-2030-0001",
    "route": "sap-access",
    "state": "open",
    "reason": null,
    "attention": null,
    "may_ask_again": false,
    "version": 2,
    "category": "application-access",
    "item": "SAP role Z_FI_CLERK",
    "requester": "sam.sample",
    "requested_for": "joon.park",
    "justification": "Covers accounts payable in March.",
    "priority": 3,
    "valid_from": null,
    "valid_until": "2030-03-31T22:00:00Z",
    "attributes": {"role": "Z_FI_CLERK", "system": "P01"},
    "callback_url": null,
    "created_at": "2030-03-01T09:00:00Z",
    "updated_at": "2030-03-01T09:00:01Z",
    "closed_at": null,
    "ticket": {
        "connection": "main", "table": "incident", "kind": "table", "exists": true,
        "sys_id": "9d385017c611228701d22104cc95c371", "number": "INC0010001", "order_number": null, "state": "1",
        "approval": "not requested", "stage": null, "close_code": null, "close_notes": null, "assigned_to": null,
        "assignment_group": "Service Desk", "checked_at": "2030-03-01T09:00:01Z", "given_up_at": null
    }
}))]
pub(crate) struct RequestView {
    /// The bridge's id of the request; also the ticket's `correlation_id`.
    id: Uuid,
    /// Name of the source.
    #[schema(example = "idm")]
    source: String,
    /// The source's own id.
    #[schema(example = "REQ-2030-0001")]
    external_id: String,
    /// Name of the route that serves it, fixed when it was taken in.
    #[schema(example = "sap-access")]
    route: String,
    /// Where it stands.
    #[schema(value_type = StateWord)]
    state: RequestState,
    /// Why it is in this state.
    reason: Option<String>,
    /// Set when somebody should look: what is unclear.
    attention: Option<String>,
    /// Whether the same access may be asked for again, under a new external id.
    may_ask_again: bool,
    /// Counts up with each change; also the ETag.
    #[schema(example = 1)]
    version: i64,
    /// Service category.
    category: String,
    /// What is asked for.
    item: String,
    /// Who asked.
    requester: String,
    /// For whom it is.
    requested_for: String,
    /// Why it is asked for.
    justification: Option<String>,
    /// 1 (highest) to 5.
    priority: u8,
    /// From when on it shall hold.
    valid_from: Option<DateTime<Utc>>,
    /// Until when it shall hold, later extensions included.
    valid_until: Option<DateTime<Utc>>,
    /// Whatever else was sent.
    attributes: BTreeMap<String, Value>,
    /// Where callbacks of this request go, when not to the source's own address.
    callback_url: Option<String>,
    /// When it was taken in.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// When it entered a final state.
    closed_at: Option<DateTime<Utc>>,
    /// Its ticket. Planned when the request is taken in; `exists` tells when ServiceNow has it.
    ticket: Option<TicketView>,
}

/// A ticket in ServiceNow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Ticket)]
pub(crate) struct TicketView {
    /// Name of the connection (one ServiceNow instance).
    #[schema(example = "main")]
    connection: String,
    /// Table of the record.
    #[schema(example = "incident")]
    table: String,
    /// `table`, or `catalog_item` for an order.
    #[schema(example = "table")]
    kind: &'static str,
    /// Whether ServiceNow is known to hold it.
    exists: bool,
    /// sys_id of the record; for the Table API chosen before it is made.
    sys_id: Option<String>,
    /// Number people use.
    #[schema(example = "INC0010001")]
    number: Option<String>,
    /// Number of the order (`sc_request`) that made it.
    order_number: Option<String>,
    /// `state` as ServiceNow stores it.
    state: Option<String>,
    /// `approval` as ServiceNow stores it.
    approval: Option<String>,
    /// Catalog stage, for people to read.
    stage: Option<String>,
    /// `close_code`, once closed.
    close_code: Option<String>,
    /// `close_notes`, once closed.
    close_notes: Option<String>,
    /// Who works on it.
    assigned_to: Option<String>,
    /// Which group works on it.
    assignment_group: Option<String>,
    /// When the bridge last read it.
    checked_at: Option<DateTime<Utc>>,
    /// When the bridge stopped looking at it, because it was open for too long.
    given_up_at: Option<DateTime<Utc>>,
}

impl RequestView {
    pub(crate) fn of(request: Request, ticket: Option<Ticket>) -> Self {
        let asked = request.asked;
        Self {
            id: request.id,
            source: request.source,
            external_id: asked.external_id,
            route: request.route,
            state: request.state,
            reason: request.reason,
            attention: request.attention,
            may_ask_again: matches!(
                request.state,
                RequestState::Denied | RequestState::Cancelled
            ),
            version: request.version,
            category: asked.category,
            item: asked.item,
            requester: asked.requester,
            requested_for: asked.requested_for,
            justification: asked.justification,
            priority: asked.priority,
            valid_from: asked.valid_from,
            valid_until: asked.valid_until,
            attributes: asked.attributes,
            callback_url: asked.callback_url,
            created_at: request.created_at,
            updated_at: request.updated_at,
            closed_at: request.closed_at,
            ticket: ticket.map(TicketView::of),
        }
    }
}

impl RequestView {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Of several requests, in their order, whose tickets are read together.
    pub(crate) async fn of_all(
        conn: &impl ConnectionTrait,
        requests: Vec<Request>,
    ) -> Result<Vec<Self>, StoreError> {
        let ids: Vec<Uuid> = requests.iter().map(|request| request.id).collect();
        let mut tickets: HashMap<Uuid, Ticket> = tickets::of_requests(conn, &ids)
            .await?
            .into_iter()
            .map(|ticket| (ticket.request_id, ticket))
            .collect();
        let view = |request: Request| {
            let ticket = tickets.remove(&request.id);
            Self::of(request, ticket)
        };
        Ok(requests.into_iter().map(view).collect())
    }

    /// Without what people wrote, for operators who only look.
    pub(crate) fn seen_by(self, role: Role) -> Self {
        if role > Role::Viewer {
            return self;
        }
        Self {
            justification: None,
            attributes: BTreeMap::new(),
            callback_url: None,
            ..self
        }
    }
}

impl TicketView {
    fn of(ticket: Ticket) -> Self {
        Self {
            table: ticket.kind.table().to_owned(),
            kind: match ticket.kind {
                TicketKind::Table(_) => "table",
                TicketKind::CatalogItem(_) => "catalog_item",
            },
            connection: ticket.connection,
            exists: ticket.exists,
            sys_id: ticket.sys_id,
            number: ticket.number,
            order_number: ticket.order_number,
            state: ticket.state,
            approval: ticket.approval,
            stage: ticket.stage,
            close_code: ticket.close_code,
            close_notes: ticket.close_notes,
            assigned_to: ticket.assigned_to,
            assignment_group: ticket.assignment_group,
            checked_at: ticket.checked_at,
            given_up_at: ticket.given_up_at,
        }
    }
}

/// Stands for [`RequestState`] in the document, from the one list of its words.
pub(crate) enum StateWord {}

impl PartialSchema for StateWord {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Where a request stands: accepted → opening → open → in_progress ⇄ on_hold → fulfilled, denied or cancelled.",
            ))
            .enum_values(Some(RequestState::ALL.map(RequestState::as_str)))
            .examples(["open"])
            .into()
    }
}

impl ToSchema for StateWord {
    fn name() -> Cow<'static, str> {
        "RequestState".into()
    }
}
