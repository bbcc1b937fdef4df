//! Tickets: one row per request, written before the first call.

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, RelationTrait, Value,
};
use serde::Serialize;
use uuid::Uuid;

use super::entities::{requests, tickets};
use super::sql::Sql;
use super::{CHUNK, StoreError};
use crate::job::Lease;
use crate::request::{Request, RequestState};
use crate::ticket::{Ticket, TicketKind};

/// A ticket to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    /// Its request.
    pub request_id: Uuid,
    /// Name of the connection.
    pub connection: String,
    /// Table or catalog item.
    pub kind: TicketKind,
    /// The id we chose, for the Table API.
    pub sys_id: Option<String>,
    /// Our key in the record.
    pub correlation_id: String,
}

/// What became of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Saved {
    /// Written.
    Saved,
    /// The row is no longer as `before` says: read it again and decide anew.
    Stale,
}

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

/// Stores a ticket, in the same transaction as its request.
pub async fn insert(
    conn: &impl ConnectionTrait,
    new: &NewTicket,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    insert_many(conn, std::slice::from_ref(new), now).await
}

/// Stores several tickets in one statement, in the same transaction as their requests.
pub async fn insert_many(
    conn: &impl ConnectionTrait,
    new: &[NewTicket],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let tickets: Vec<Ticket> = new.iter().map(planned).collect();
    let Some(first) = tickets.first() else {
        return Ok(());
    };
    let mut statement = Sql::new(
        conn,
        "INSERT INTO tickets (request_id, created_at, updated_at",
    );
    for (column, _) in columns(first) {
        statement = statement.then(", ").then(column);
    }
    statement = statement.then(") VALUES ");
    for (index, ticket) in tickets.iter().enumerate() {
        statement = statement
            .then(if index == 0 { "(" } else { ", (" })
            .bind(ticket.request_id)
            .then(", ")
            .bind(now)
            .then(", ")
            .bind(now);
        for (_, value) in columns(ticket) {
            statement = statement.then(", ").bind(value);
        }
        statement = statement.then(")");
    }
    statement.run(conn).await?;
    Ok(())
}

fn planned(new: &NewTicket) -> Ticket {
    Ticket {
        request_id: new.request_id,
        connection: new.connection.clone(),
        kind: new.kind.clone(),
        sys_id: new.sys_id.clone(),
        correlation_id: new.correlation_id.clone(),
        exists: false,
        number: None,
        order_number: None,
        order_sys_id: None,
        state: None,
        approval: None,
        stage: None,
        close_code: None,
        close_notes: None,
        assigned_to: None,
        assignment_group: None,
        mod_count: None,
        remote_updated_on: None,
        written_version: None,
        maybe_sent_at: None,
        checked_at: None,
        given_up_at: None,
    }
}

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

/// The tickets of several requests, in no order.
pub async fn of_requests(
    conn: &impl ConnectionTrait,
    request_ids: &[Uuid],
) -> Result<Vec<Ticket>, StoreError> {
    let mut found = Vec::new();
    for some in request_ids.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .filter(tickets::Column::RequestId.is_in(some.iter().copied()))
            .all(conn)
            .await?;
        for row in rows {
            found.push(Ticket::try_from(row)?);
        }
    }
    Ok(found)
}

/// Replaces `before` by `after`, if the row is still exactly `before`.
pub async fn save(
    conn: &impl ConnectionTrait,
    before: &Ticket,
    after: &Ticket,
    now: DateTime<Utc>,
) -> Result<Saved, StoreError> {
    let mut statement = Sql::new(conn, "UPDATE tickets SET updated_at = ").bind(now);
    for (column, value) in columns(after) {
        statement = statement.then(", ").then(column).then(" = ").bind(value);
    }
    statement = statement
        .then(" WHERE request_id = ")
        .bind(before.request_id);
    for (column, value) in columns(before) {
        statement = statement
            .then(" AND ")
            .then(column)
            .then(" IS NOT DISTINCT FROM ")
            .bind(value);
    }
    Ok(if statement.run(conn).await? == 1 {
        Saved::Saved
    } else {
        Saved::Stale
    })
}

/// Writes ahead that a create is about to be sent, while `lease` still holds the job; false when it does not.
///
/// The newest moment counts: a quiet period begins with the last send that may have arrived. The job row is locked
/// until the write has committed, so whoever gets the job next sees the mark.
pub async fn mark_maybe_sent(
    conn: &impl ConnectionTrait,
    request_id: Uuid,
    lease: &Lease,
    job_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(conn, "UPDATE tickets SET maybe_sent_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE request_id = ")
        .bind(request_id)
        .then(" AND EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND id = ")
        .bind(job_id)
        .then(" AND lease_owner = ")
        .bind(lease.owner.as_str())
        .then(" AND lease_token = ")
        .bind(lease.token)
        .postgres(" FOR SHARE")
        .then(")")
        .run(conn)
        .await?;
    Ok(touched == 1)
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
        .filter(Condition::all().add_option(after.map(|id| tickets::Column::RequestId.gt(id))))
        .order_by_asc(tickets::Column::RequestId)
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

fn watched() -> Condition {
    use sea_orm::sea_query::{Expr, ExprTrait};
    let ended = RequestState::ALL
        .into_iter()
        .filter(|state| state.is_final())
        .map(RequestState::as_str);
    let written = Expr::col((tickets::Entity, tickets::Column::WrittenVersion));
    Condition::all()
        .add(tickets::Column::InServicenow.eq(true))
        .add(tickets::Column::GivenUpAt.is_null())
        .add(
            Condition::any()
                .add(requests::Column::State.is_not_in(ended))
                .add(written.lt(Expr::col((requests::Entity, requests::Column::Version)))),
        )
}

fn pairs(
    rows: Vec<(tickets::Model, Option<requests::Model>)>,
) -> Result<Vec<(Ticket, Request)>, StoreError> {
    rows.into_iter()
        .filter_map(|(ticket, request)| Some((ticket, request?)))
        .map(|(ticket, request)| Ok((Ticket::try_from(ticket)?, Request::try_from(request)?)))
        .collect()
}

/// Every column but the key, with its value: what is inserted, replaced and compared.
///
/// Moments are cut to the microsecond, the resolution of both databases, or `before` would not compare equal.
fn columns(ticket: &Ticket) -> [(&'static str, Value); 23] {
    let (kind, kind_name) = match &ticket.kind {
        TicketKind::Table(table) => ("table", table),
        TicketKind::CatalogItem(item) => ("catalog_item", item),
    };
    let moment = |at: Option<DateTime<Utc>>| Value::from(at.map(|at| at.trunc_subsecs(6)));
    let text = |text: &Option<String>| Value::from(text.clone());
    [
        ("connection", ticket.connection.as_str().into()),
        ("kind", kind.into()),
        ("kind_name", kind_name.as_str().into()),
        ("table_name", ticket.kind.table().into()),
        ("sys_id", text(&ticket.sys_id)),
        ("correlation_id", ticket.correlation_id.as_str().into()),
        ("in_servicenow", ticket.exists.into()),
        ("number", text(&ticket.number)),
        ("order_number", text(&ticket.order_number)),
        ("order_sys_id", text(&ticket.order_sys_id)),
        ("remote_state", text(&ticket.state)),
        ("approval", text(&ticket.approval)),
        ("stage", text(&ticket.stage)),
        ("close_code", text(&ticket.close_code)),
        ("close_notes", text(&ticket.close_notes)),
        ("assigned_to", text(&ticket.assigned_to)),
        ("assignment_group", text(&ticket.assignment_group)),
        ("mod_count", ticket.mod_count.into()),
        ("remote_updated_on", text(&ticket.remote_updated_on)),
        ("written_version", ticket.written_version.into()),
        ("maybe_sent_at", moment(ticket.maybe_sent_at)),
        ("checked_at", moment(ticket.checked_at)),
        ("given_up_at", moment(ticket.given_up_at)),
    ]
}

impl TryFrom<tickets::Model> for Ticket {
    type Error = StoreError;

    fn try_from(row: tickets::Model) -> Result<Self, StoreError> {
        let kind = match row.kind.as_str() {
            "table" => TicketKind::Table(row.kind_name),
            "catalog_item" => TicketKind::CatalogItem(row.kind_name),
            other => return Err(StoreError::corrupt("kind of a ticket", other)),
        };
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
        })
    }
}
