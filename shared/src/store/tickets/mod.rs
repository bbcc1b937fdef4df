//! Tickets: one row per request, written before the first call.

mod watched;
mod write;
mod write_ahead;

pub use watched::{
    OpenTable, WatchedOne, any_open, open_page, open_tables, watched_page, with_requests,
    with_sys_ids,
};
pub(super) use write::insertion;
pub use write::{NewTicket, Saved, insert, insert_many, save, save_all};
pub use write_ahead::mark_maybe_sent;

use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

use super::entities::tickets;
use super::sql::{Sql, among};
use super::{CHUNK, StoreError};
use crate::state_map::Decided;
use crate::ticket::{Ticket, TicketKind};

/// The ticket of a request.
pub async fn of_request(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
) -> Result<Option<Ticket>, StoreError> {
    tickets::Entity::find_by_id(request_id)
        .one(conn)
        .await?
        .map(Ticket::try_from)
        .transpose()
}

/// The requests whose ticket has that number, or that sys_id in one of `tables` of a connection.
pub async fn called(
    conn: &impl ConnectionTrait,
    text: &str,
    tables: &[(String, String)],
) -> Result<Vec<Uuid>, StoreError> {
    let mut found: Vec<Called> = Sql::new(conn, "SELECT request_id FROM tickets WHERE number = ")
        .bind(text)
        .all(conn)
        .await?;
    if is_sys_id(text) {
        for (connection, table) in tables {
            found.extend(
                Sql::new(conn, "SELECT request_id FROM tickets WHERE connection = ")
                    .bind(connection.as_str())
                    .then(" AND table_name = ")
                    .bind(table.as_str())
                    .then(" AND sys_id = ")
                    .bind(text)
                    .all::<Called>(conn)
                    .await?,
            );
        }
    }
    Ok(found.into_iter().map(|row| row.request_id).collect())
}

#[derive(FromQueryResult)]
struct Called {
    request_id: Uuid,
}

fn is_sys_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The tickets of several requests, in no order.
pub async fn of_requests(
    conn: &impl ConnectionTrait,
    request_ids: &[Uuid],
) -> Result<Vec<Ticket>, StoreError> {
    let mut found = Vec::new();
    for some in request_ids.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .filter(among(conn, tickets::Column::RequestId, some))
            .all(conn)
            .await?;
        for row in rows {
            found.push(Ticket::try_from(row)?);
        }
    }
    Ok(found)
}

impl TryFrom<tickets::Model> for Ticket {
    type Error = StoreError;

    fn try_from(row: tickets::Model) -> Result<Self, StoreError> {
        let kind = match row.kind.as_str() {
            "table" => TicketKind::Table(row.kind_name),
            "catalog_item" => TicketKind::CatalogItem(row.kind_name),
            other => return Err(StoreError::corrupt("kind of a ticket", other)),
        };
        let state = row.decided_state.as_deref().map(str::parse).transpose();
        let state = state.map_err(|error| StoreError::corrupt("decision on a ticket", error))?;
        let decided = row.decided_map.zip(row.decided_at);
        let decided = decided.map(|(map, at)| Decided {
            map,
            rule: row.decided_rule,
            state,
            at,
        });
        Ok(Self {
            request_id: row.request_id,
            connection: row.connection,
            kind,
            sys_id: row.sys_id,
            correlation_id: row.correlation_id,
            exists: row.in_servicenow,
            number: row.number,
            order_number: row.order_number,
            order_sys_id: row.order_sys_id,
            state: row.remote_state,
            approval: row.approval,
            stage: row.stage,
            close_code: row.close_code,
            close_notes: row.close_notes,
            assigned_to: row.assigned_to,
            assignment_group: row.assignment_group,
            mod_count: row.mod_count,
            remote_updated_on: row.remote_updated_on,
            written_version: row.written_version,
            maybe_sent_at: row.maybe_sent_at,
            checked_at: row.checked_at,
            given_up_at: row.given_up_at,
            decided,
        })
    }
}
