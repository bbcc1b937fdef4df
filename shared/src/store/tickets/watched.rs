//! The tickets whose changes matter: by the ids of their records, and page by page.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, RelationTrait,
};
use serde::Serialize;
use uuid::Uuid;

use crate::request::Request;
use crate::store::entities::{requests, tickets};
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

/// A page of the watched tickets of a table, by request id, behind `after`.
///
/// Watched: it exists, is not given up, and its request has not ended or has news that is not yet written to it.
pub async fn open_page(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    let rows = tickets::Entity::find()
        .find_also_related(requests::Entity)
        .filter(tickets::Column::Connection.eq(connection))
        .filter(tickets::Column::TableName.eq(table))
        .filter(watched())
        .filter(Condition::all().add_option(after.map(|id| requests::Column::Id.gt(id))))
        .order_by_asc(requests::Column::Id)
        .limit(limit)
        .all(conn)
        .await?;
    pairs(rows)
}

/// The tables that hold watched tickets, and how many.
pub async fn open_tables(conn: &impl ConnectionTrait) -> Result<Vec<OpenTable>, StoreError> {
    let rows = tickets::Entity::find()
        .select_only()
        .column(tickets::Column::Connection)
        .column(tickets::Column::TableName)
        .column_as(tickets::Column::RequestId.count(), "open")
        .join(JoinType::InnerJoin, tickets::Relation::Request.def())
        .filter(watched())
        .group_by(tickets::Column::Connection)
        .group_by(tickets::Column::TableName)
        .order_by_asc(tickets::Column::Connection)
        .order_by_asc(tickets::Column::TableName)
        .into_model::<OpenRow>()
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

/// In the words of the partial index on `requests.watched`, which a bound value would keep out of use.
fn watched() -> Condition {
    Condition::all()
        .add(Expr::cust("requests.watched"))
        .add(tickets::Column::InServicenow.eq(true))
        .add(tickets::Column::GivenUpAt.is_null())
}

fn pairs(
    rows: Vec<(tickets::Model, Option<requests::Model>)>,
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    rows.into_iter()
        .filter_map(|(ticket, request)| Some((ticket, request?)))
        .map(|(ticket, request)| Ok((Ticket::try_from(ticket)?, Request::try_from(request)?)))
        .collect()
}
