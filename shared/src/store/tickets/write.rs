//! Stores a ticket, and replaces it by compare-and-set over all its columns.

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

use crate::request::RequestState;
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

#[derive(FromQueryResult)]
struct SavedRow {
    request_id: Uuid,
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
    if !new.is_empty() {
        insertion(conn, new, now).run(conn).await?;
    }
    Ok(())
}

/// The statement that stores tickets, at least one.
pub(in crate::store) fn insertion(
    conn: &impl ConnectionTrait,
    new: &[NewTicket],
    now: DateTime<Utc>,
) -> Sql {
    let rows = new.iter().map(|new| {
        let (kind, kind_name) = stored_kind(&new.kind);
        vec![
            new.request_id.into(),
            new.connection.as_str().into(),
            kind.into(),
            kind_name.into(),
            new.kind.table().into(),
            new.sys_id.clone().into(),
            new.correlation_id.as_str().into(),
        ]
    });
    let columns = "request_id uuid, connection text, kind text, kind_name text, table_name text, sys_id text, correlation_id text";
    Sql::given(conn, columns, rows.collect())
        .then(
            "INSERT INTO tickets (request_id, connection, kind, kind_name, table_name, sys_id, correlation_id, in_servicenow, \
             created_at, updated_at) SELECT *, FALSE, ",
        )
        .bind(now)
        .then(", ")
        .bind(now)
        .then(" FROM given")
}

fn stored_kind(kind: &TicketKind) -> (&'static str, &str) {
    match kind {
        TicketKind::Table(table) => ("table", table),
        TicketKind::CatalogItem(item) => ("catalog_item", item),
    }
}

/// Replaces `before` by `after`, if the row is still exactly `before`.
pub async fn save(
    conn: &impl ConnectionTrait,
    before: &Ticket,
    after: &Ticket,
    now: DateTime<Utc>,
) -> Result<Saved, StoreError> {
    let saved = save_all(conn, &[(before, after)], now).await?;
    Ok(if saved.is_empty() {
        Saved::Stale
    } else {
        Saved::Saved
    })
}

/// The same for several tickets in one statement, each before and after: the requests of those that were saved. The others are
/// stale.
pub async fn save_all(
    conn: &impl ConnectionTrait,
    changes: &[(&Ticket, &Ticket)],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, StoreError> {
    if changes.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = changes.iter().map(|(before, after)| {
        let key = [before.request_id.into()];
        key.into_iter()
            .chain(values(after))
            .chain(values(before))
            .collect()
    });
    let columns = format!("request_id uuid, {}, {}", typed(""), typed("old_"));
    let mut statement = Sql::given(conn, &columns, rows.collect())
        .then("UPDATE tickets SET updated_at = ")
        .bind(now);
    for name in names() {
        statement = statement.then(&format!(", {name} = given.{name}"));
    }
    statement = statement.then(" FROM given WHERE tickets.request_id = given.request_id");
    for name in names() {
        statement = statement.then(&format!(
            " AND tickets.{name} IS NOT DISTINCT FROM given.old_{name}"
        ));
    }
    let saved: Vec<SavedRow> = statement
        .then(" RETURNING tickets.request_id AS request_id")
        .all(conn)
        .await?;
    let saved: HashSet<Uuid> = saved.into_iter().map(|row| row.request_id).collect();
    for (before, after) in changes {
        if before.written_version != after.written_version && saved.contains(&after.request_id) {
            keep_watch(conn, after).await?;
        }
    }
    Ok(saved)
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

/// Every column but the key, with its type on PostgreSQL: what is replaced and compared.
const COLUMNS: [(&str, &str); 27] = [
    ("connection", "text"),
    ("kind", "text"),
    ("kind_name", "text"),
    ("table_name", "text"),
    ("sys_id", "text"),
    ("correlation_id", "text"),
    ("in_servicenow", "boolean"),
    ("number", "text"),
    ("order_number", "text"),
    ("order_sys_id", "text"),
    ("remote_state", "text"),
    ("approval", "text"),
    ("stage", "text"),
    ("close_code", "text"),
    ("close_notes", "text"),
    ("assigned_to", "text"),
    ("assignment_group", "text"),
    ("mod_count", "bigint"),
    ("remote_updated_on", "text"),
    ("written_version", "bigint"),
    ("maybe_sent_at", "timestamptz"),
    ("checked_at", "timestamptz"),
    ("given_up_at", "timestamptz"),
    ("decided_map", "text"),
    ("decided_rule", "text"),
    ("decided_state", "text"),
    ("decided_at", "timestamptz"),
];

fn names() -> [&'static str; 27] {
    COLUMNS.map(|(name, _)| name)
}

/// The columns as a table of given rows names them, with something before each name.
fn typed(before: &str) -> String {
    COLUMNS
        .map(|(name, sort)| format!("{before}{name} {sort}"))
        .join(", ")
}

/// The values of [`COLUMNS`].
///
/// Moments are cut to the microsecond, the resolution of both databases, or `before` would not compare equal.
fn values(ticket: &Ticket) -> [Value; 27] {
    let (kind, kind_name) = stored_kind(&ticket.kind);
    let moment = |at: Option<DateTime<Utc>>| Value::from(at.map(|at| at.trunc_subsecs(6)));
    let text = |text: &Option<String>| Value::from(text.clone());
    let decided = ticket.decided.as_ref();
    [
        ticket.connection.as_str().into(),
        kind.into(),
        kind_name.into(),
        ticket.kind.table().into(),
        text(&ticket.sys_id),
        ticket.correlation_id.as_str().into(),
        ticket.exists.into(),
        text(&ticket.number),
        text(&ticket.order_number),
        text(&ticket.order_sys_id),
        text(&ticket.state),
        text(&ticket.approval),
        text(&ticket.stage),
        text(&ticket.close_code),
        text(&ticket.close_notes),
        text(&ticket.assigned_to),
        text(&ticket.assignment_group),
        ticket.mod_count.into(),
        text(&ticket.remote_updated_on),
        ticket.written_version.into(),
        moment(ticket.maybe_sent_at),
        moment(ticket.checked_at),
        moment(ticket.given_up_at),
        decided.map(|it| it.map.clone()).into(),
        decided.and_then(|it| it.rule.clone()).into(),
        decided
            .and_then(|it| it.state)
            .map(RequestState::as_str)
            .into(),
        moment(decided.map(|it| it.at)),
    ]
}
