//! What the run of a job begins with: the ticket of its request, the request, and what is known of the ticket's table.

use std::collections::HashMap;
use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, IdenStatic, Iterable, QueryResult};
use uuid::Uuid;

use super::with_requests;
use crate::request::Request;
use crate::store::entities::{requests, tickets};
use crate::store::{StoreError, table_facts};
use crate::ticket::Ticket;

/// A ticket with all that stands around it.
#[derive(Debug, Clone)]
pub struct About {
    /// The ticket.
    pub ticket: Ticket,
    /// Its request.
    pub request: Request,
    /// Whether its table keeps the `sys_id` we send, as far as earlier echoes showed; `None` while nobody has tried.
    pub honours_sys_id: Option<bool>,
}

/// Of requests, by their ids. What is not stored is not there.
pub async fn about(
    conn: &impl ConnectionTrait,
    request_ids: &[Uuid],
) -> Result<HashMap<Uuid, About>, StoreError> {
    let (pairs, facts) =
        tokio::try_join!(with_requests(conn, request_ids), table_facts::all(conn))?;
    let about = |(ticket, request): (Ticket, Request)| {
        let of_table = facts
            .iter()
            .find(|it| it.connection == ticket.connection && it.table == ticket.kind.table());
        let about = About {
            honours_sys_id: of_table.and_then(|it| it.honours_sys_id),
            ticket,
            request,
        };
        (about.request.id, about)
    };
    Ok(pairs.into_iter().map(about).collect())
}

/// The columns of what [`of_row`] reads, behind those of a table `of` that has a `request_id`, and where they come from.
pub(in crate::store) fn beside(of: &str) -> String {
    format!(
        "{} FROM {of} LEFT JOIN tickets ON tickets.request_id = {of}.request_id LEFT JOIN requests ON requests.id = tickets.request_id \
         LEFT JOIN table_facts ON table_facts.connection = tickets.connection AND table_facts.table_name = tickets.table_name",
        *COLUMNS
    )
}

static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let tickets = tickets::Column::iter().map(|it| it.as_str());
    let requests = requests::Column::iter().map(|it| it.as_str());
    let columns: Vec<String> = tickets
        .map(|it| format!("tickets.{it} AS {OF_TICKETS}{it}"))
        .chain(requests.map(|it| format!("requests.{it} AS {OF_REQUESTS}{it}")))
        .chain(["table_facts.honours_sys_id AS honours_sys_id".to_owned()])
        .collect();
    columns.join(", ")
});

const OF_TICKETS: &str = "of_ticket_";
const OF_REQUESTS: &str = "of_request_";

/// `None` when it is not stored, and when it does not read: whoever reads it alone learns why.
pub(in crate::store) fn of_row(row: &QueryResult) -> Result<Option<Box<About>>, DbErr> {
    let ticket = tickets::Model::from_query_result_optional(row, OF_TICKETS)?;
    let request = requests::Model::from_query_result_optional(row, OF_REQUESTS)?;
    let Some((ticket, request)) = ticket.zip(request) else {
        return Ok(None);
    };
    let honours_sys_id = row.try_get("", "honours_sys_id")?;
    let read = Ticket::try_from(ticket)
        .ok()
        .zip(Request::try_from(request).ok());
    Ok(read.map(|(ticket, request)| {
        Box::new(About {
            ticket,
            request,
            honours_sys_id,
        })
    }))
}
