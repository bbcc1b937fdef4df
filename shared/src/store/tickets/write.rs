//! Stores a ticket, and replaces it by compare-and-set over all its columns.

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sql::Sql;
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
    if statement.run(conn).await? != 1 {
        return Ok(Saved::Stale);
    }
    if before.written_version != after.written_version {
        keep_watch(conn, after).await?;
    }
    Ok(Saved::Saved)
}

/// A request that has ended is watched until its end is written to the ticket.
async fn keep_watch(conn: &impl ConnectionTrait, ticket: &Ticket) -> Result<(), StoreError> {
    const WATCHED: &str =
        "(state NOT IN ('fulfilled', 'denied', 'cancelled') OR version > COALESCE(";
    Sql::new(conn, "UPDATE requests SET watched = ")
        .then(WATCHED)
        .bind(ticket.written_version)
        .then(", version)) WHERE watched <> ")
        .then(WATCHED)
        .bind(ticket.written_version)
        .then(", version)) AND id = ")
        .bind(ticket.request_id)
        .run(conn)
        .await?;
    Ok(())
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
