//! The tickets whose changes matter: by the ids of their records, and page by page.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
};
use serde::Serialize;
use uuid::Uuid;

use crate::request::Request;
use crate::store::entities::{requests, tickets};
use crate::store::sql::{Sql, among};
use crate::store::{CHUNK, StoreError};
use crate::ticket::Ticket;

/// A table in which tickets are watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenTable {
    /// Name of the connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// Tickets that are watched in it.
    pub open: u64,
}

#[derive(FromQueryResult)]
struct Watched {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct OpenRow {
    connection: String,
    table_name: String,
    open: i64,
}

/// The tickets that are these records of a table, with their requests.
pub async fn with_sys_ids(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    sys_ids: &[String],
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    let mut found = Vec::new();
    for some in sys_ids.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .find_also_related(requests::Entity)
            .filter(tickets::Column::Connection.eq(connection))
            .filter(tickets::Column::TableName.eq(table))
            .filter(tickets::Column::SysId.is_in(some.iter().map(String::as_str)))
            .order_by_asc(tickets::Column::RequestId)
            .all(conn)
            .await?;
        found.extend(pairs(rows)?);
    }
    Ok(found)
}

/// The tickets of these requests, with their requests, in no order.
pub async fn with_requests(
    conn: &impl ConnectionTrait,
    request_ids: &[Uuid],
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    let mut found = Vec::with_capacity(request_ids.len());
    for some in request_ids.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .find_also_related(requests::Entity)
            .filter(among(conn, tickets::Column::RequestId, some))
            .all(conn)
            .await?;
        found.extend(pairs(rows)?);
    }
    Ok(found)
}

/// A page of the watched tickets of a table, by request id, behind `after`.
///
/// Watched: it exists, is not given up, and its request has not ended or has news that is not yet written to it. The rows are
/// read after the ids of the page: one that another process changes in between shows what it has become.
pub async fn open_page(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    let page: Vec<Watched> = Sql::new(conn, "SELECT requests.id")
        .then(WATCHED)
        .then(" AND tickets.connection = ")
        .bind(connection)
        .then(" AND tickets.table_name = ")
        .bind(table)
        .then(" AND requests.id > ")
        .bind(after.unwrap_or_default())
        .then(" ORDER BY requests.id LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await?;
    let mut found = Vec::with_capacity(page.len());
    for some in page.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .find_also_related(requests::Entity)
            .filter(tickets::Column::RequestId.is_in(some.iter().map(|it| it.id)))
            .order_by_asc(tickets::Column::RequestId)
            .all(conn)
            .await?;
        found.extend(pairs(rows)?);
    }
    Ok(found)
}

/// A watched ticket, and which map was last asked about it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct WatchedOne {
    /// Its request.
    pub id: Uuid,
    /// The route of the request.
    pub route: String,
    /// Fingerprint of the map; `None` when none was asked since maps are kept.
    pub decided_map: Option<String>,
}

/// A page of the watched tickets of all tables, by request id, behind `after`: by the partial index of what is watched.
pub async fn watched_page(
    conn: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<WatchedOne>, StoreError> {
    Sql::new(
        conn,
        "SELECT requests.id AS id, requests.route AS route, tickets.decided_map AS decided_map",
    )
    .then(WATCHED)
    .then(" AND requests.id > ")
    .bind(after.unwrap_or_default())
    .then(" ORDER BY requests.id LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(conn)
    .await
}

/// The tables that hold watched tickets, and how many.
pub async fn open_tables(conn: &impl ConnectionTrait) -> Result<Vec<OpenTable>, StoreError> {
    let rows: Vec<OpenRow> = Sql::new(conn, "SELECT connection, table_name, COUNT(*) AS open")
        .then(by_request(conn))
        .then(" GROUP BY connection, table_name ORDER BY connection, table_name")
        .all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| OpenTable {
            connection: row.connection,
            table: row.table_name,
            open: u64::try_from(row.open).unwrap_or_default(),
        })
        .collect())
}

/// Whether a table holds a watched ticket. Unlike [`open_tables`] it ends at the first one.
pub async fn any_open(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
) -> Result<bool, StoreError> {
    let found: Option<Watched> = Sql::new(conn, "SELECT requests.id AS id")
        .then(by_request(conn))
        .then(" AND connection = ")
        .bind(connection)
        .then(" AND table_name = ")
        .bind(table)
        .then(" LIMIT 1")
        .one(conn)
        .await?;
    Ok(found.is_some())
}

/// From the requests that are watched to their tickets. Where PostgreSQL may choose, it reads all tickets there ever were; behind
/// `OFFSET 0` it cannot.
fn by_request(conn: &impl ConnectionTrait) -> &'static str {
    if conn.get_database_backend() == DbBackend::Postgres {
        " FROM requests CROSS JOIN LATERAL (SELECT connection, table_name FROM tickets WHERE \
         tickets.request_id = requests.id AND tickets.in_servicenow AND tickets.given_up_at IS NULL OFFSET 0) AS ticket \
         WHERE requests.watched"
    } else {
        WATCHED
    }
}

/// SQLite runs a cross join in the order it is written: from the few requests that are watched, by their partial
/// index, to their tickets. PostgreSQL finds the same way by its statistics.
const WATCHED: &str = " FROM requests CROSS JOIN tickets WHERE tickets.request_id = requests.id \
     AND requests.watched AND tickets.in_servicenow AND tickets.given_up_at IS NULL";

fn pairs(
    rows: Vec<(tickets::Model, Option<requests::Model>)>,
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    rows.into_iter()
        .filter_map(|(ticket, request)| Some((ticket, request?)))
        .map(|(ticket, request)| Ok((Ticket::try_from(ticket)?, Request::try_from(request)?)))
        .collect()
}
