//! What the bridge believes of a window of `sys_updated_on`, and the reports of comparing it with the instance (N26).

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entities::drift_reports::{Column, Entity, Model};
use super::entities::tickets;
use super::sql::Sql;
use super::{CHUNK, StoreError};
use crate::drift::{Finding, Tally, Verdict, Window};
use crate::ticket::Ticket;

/// One comparison of a table, under way or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its id.
    pub id: Uuid,
    /// Name of the connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// The stamps that were compared.
    pub window: Window,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Tickets of ours in the window.
    pub expected: i64,
    /// Rows that the instance counts in it.
    pub found: i64,
    /// What became of them.
    pub tally: Tally,
    /// `None` while it runs.
    pub verdict: Option<Verdict>,
    /// Why it could not be judged, or not wholly.
    pub reason: Option<String>,
    /// The differences, the first of them when there are many.
    pub findings: Vec<Finding>,
}

/// Count and checksum of tickets of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromQueryResult)]
pub struct Believed {
    /// How many.
    pub count: i64,
    /// How many of them have a known `sys_mod_count`.
    pub versioned: i64,
    /// The sum of `sys_mod_count`.
    pub versions: i64,
    /// The newest `sys_updated_on`.
    pub newest: Option<String>,
}

/// Whose tickets are compared.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Name of the connection.
    pub connection: &'a str,
    /// The table.
    pub table: &'a str,
    /// Records that are left out: they have changed since the window.
    pub moving: &'a [String],
    /// Tickets are left out whose request is flagged with words like these: that they are missing is known.
    pub known_missing: &'a str,
}

/// Sums up the tickets of a window.
pub async fn believed(
    conn: &impl ConnectionTrait,
    scope: &Scope<'_>,
    window: &Window,
) -> Result<Believed, StoreError> {
    let select = "SELECT COUNT(*) AS count, COUNT(mod_count) AS versioned, CAST(COALESCE(SUM(mod_count), 0) AS BIGINT) AS versions, \
                  MAX(remote_updated_on) AS newest";
    let summed = within(Sql::new(conn, select), scope, window)
        .one(conn)
        .await?;
    Ok(summed.unwrap_or_default())
}

/// The tickets of a window, at most `limit`.
pub async fn tickets_of(
    conn: &impl ConnectionTrait,
    scope: &Scope<'_>,
    window: &Window,
    limit: u64,
) -> Result<Vec<Ticket>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        request_id: Uuid,
    }
    let ids: Vec<Row> = within(Sql::new(conn, "SELECT request_id"), scope, window)
        .then(" ORDER BY remote_updated_on, request_id LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await?;
    let ids: Vec<Uuid> = ids.into_iter().map(|row| row.request_id).collect();
    super::tickets::of_requests(conn, &ids).await
}

fn within(select: Sql, scope: &Scope<'_>, window: &Window) -> Sql {
    let sql = select
        .then(" FROM tickets WHERE in_servicenow AND connection = ")
        .bind(scope.connection)
        .then(" AND table_name = ")
        .bind(scope.table)
        .then(" AND remote_updated_on >= ")
        .bind(window.from.as_str())
        .then(" AND remote_updated_on <= ")
        .bind(window.to.as_str());
    let sql = if scope.moving.is_empty() {
        sql
    } else {
        sql.then(" AND NOT (sys_id").one_of(scope.moving).then(")")
    };
    sql.then(
        " AND NOT EXISTS (SELECT 1 FROM requests WHERE requests.id = tickets.request_id AND requests.attention LIKE ",
    )
    .bind(format!("{}%", scope.known_missing))
    .then(")")
}

/// Those of `sys_ids` that are tickets of ours, whatever their connection and table.
pub async fn ours_anywhere(
    conn: &impl ConnectionTrait,
    sys_ids: &[String],
) -> Result<Vec<Ticket>, StoreError> {
    by_column(conn, tickets::Column::SysId, sys_ids).await
}

/// The tickets with these correlation ids.
pub async fn with_correlation_ids(
    conn: &impl ConnectionTrait,
    correlation_ids: &[String],
) -> Result<Vec<Ticket>, StoreError> {
    by_column(conn, tickets::Column::CorrelationId, correlation_ids).await
}

async fn by_column(
    conn: &impl ConnectionTrait,
    column: tickets::Column,
    values: &[String],
) -> Result<Vec<Ticket>, StoreError> {
    let mut found = Vec::new();
    for some in values.chunks(CHUNK) {
        let rows = tickets::Entity::find()
            .filter(column.is_in(some.iter().map(String::as_str)))
            .order_by_asc(tickets::Column::RequestId)
            .all(conn)
            .await?;
        for row in rows {
            found.push(Ticket::try_from(row)?);
        }
    }
    Ok(found)
}

/// Stores a report, or how far it has come, in the same transaction as what it repaired.
pub async fn put(conn: &impl ConnectionTrait, report: &Report) -> Result<(), StoreError> {
    let findings = serde_json::to_value(&report.findings)
        .map_err(|error| StoreError::corrupt("findings", error))?;
    let tally = &report.tally;
    let mut sql = Sql::new(
        conn,
        "INSERT INTO drift_reports (id, connection, table_name, window_from, window_to, started_at, finished_at, expected, found, \
         checked, unchanged, repaired, flagged, failed, verdict, reason, findings) VALUES (",
    )
    .bind(report.id);
    for text in [
        &report.connection,
        &report.table,
        &report.window.from,
        &report.window.to,
    ] {
        sql = sql.then(", ").bind(text.as_str());
    }
    sql = sql.then(", ").bind(report.started_at);
    sql = sql.then(", ").bind(report.finished_at);
    for number in [
        report.expected,
        report.found,
        tally.checked,
        tally.unchanged,
        tally.repaired,
        tally.flagged,
        tally.failed,
    ] {
        sql = sql.then(", ").bind(number);
    }
    sql.then(", ")
        .bind(report.verdict.map(|it| it.as_str().to_owned()))
        .then(", ")
        .bind(report.reason.clone())
        .then(", ")
        .bind(findings)
        .then(
            ") ON CONFLICT (id) DO UPDATE SET finished_at = excluded.finished_at, expected = excluded.expected, found = excluded.found, \
             checked = excluded.checked, unchanged = excluded.unchanged, repaired = excluded.repaired, flagged = excluded.flagged, \
             failed = excluded.failed, verdict = excluded.verdict, reason = excluded.reason, findings = excluded.findings",
        )
        .run(conn)
        .await?;
    Ok(())
}

/// One report.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Report>, StoreError> {
    let row = Entity::find_by_id(id).one(conn).await?;
    row.map(Report::try_from).transpose()
}

/// The newest reports, of all tables or of one connection.
pub async fn newest(
    conn: &impl ConnectionTrait,
    connection: Option<&str>,
    limit: u64,
) -> Result<Vec<Report>, StoreError> {
    let mut find = Entity::find()
        .order_by_desc(Column::StartedAt)
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(connection) = connection {
        find = find.filter(Column::Connection.eq(connection));
    }
    let rows = find.all(conn).await?;
    rows.into_iter().map(Report::try_from).collect()
}

/// The last report of a table that came to a verdict.
pub async fn last_of(
    conn: &impl ConnectionTrait,
    connection: &str,
    table: &str,
) -> Result<Option<Report>, StoreError> {
    let row = Entity::find()
        .filter(Column::Connection.eq(connection))
        .filter(Column::TableName.eq(table))
        .filter(Column::Verdict.is_not_null())
        .order_by_desc(Column::StartedAt)
        .order_by_desc(Column::Id)
        .one(conn)
        .await?;
    row.map(Report::try_from).transpose()
}

impl TryFrom<Model> for Report {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let verdict = row.verdict.map(|word| word.parse()).transpose();
        Ok(Self {
            id: row.id,
            connection: row.connection,
            table: row.table_name,
            window: Window {
                from: row.window_from,
                to: row.window_to,
            },
            started_at: row.started_at,
            finished_at: row.finished_at,
            expected: row.expected,
            found: row.found,
            tally: Tally {
                checked: row.checked,
                unchanged: row.unchanged,
                repaired: row.repaired,
                flagged: row.flagged,
                failed: row.failed,
            },
            verdict: verdict.map_err(|error| StoreError::corrupt("verdict", error))?,
            reason: row.reason,
            findings: serde_json::from_value(row.findings)
                .map_err(|error| StoreError::corrupt("findings", error))?,
        })
    }
}
