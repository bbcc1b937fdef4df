//! Finds entries for people: newest first, page by page. A page looks at so many entries at most, and says how far back it came.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::AuditRow;
use crate::store::StoreError;
use crate::store::entities::audit_entries::Model;
use crate::store::sql::Sql;

/// Entries that one page looks at, at most.
const LOOKS: i64 = 50_000;

/// Which entries; an empty filter means all. What is set must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this actor, `kind:name`.
    pub actor: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// About things of this kind.
    pub subject_kind: Option<String>,
    /// About this thing.
    pub subject_id: Option<String>,
    /// From this moment on.
    pub after: Option<DateTime<Utc>>,
    /// Before this moment.
    pub before: Option<DateTime<Utc>>,
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditRow>,
    /// Where the next page begins: behind this entry. `None` when there is nothing more to look at.
    pub next: Option<i64>,
    /// How far back this page has looked when it is not full.
    pub looked_back_to: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Edge {
    id: i64,
    at: DateTime<Utc>,
}

/// At most `limit` entries behind `cursor`.
pub async fn search(
    conn: &impl ConnectionTrait,
    filter: &AuditFilter,
    cursor: Option<i64>,
    limit: u64,
) -> Result<AuditPage, StoreError> {
    // About one thing there are few, found by their own index.
    let edge = match (&filter.subject_kind, &filter.subject_id) {
        (Some(_), Some(_)) => None,
        _ => edge(conn, filter, cursor).await?,
    };
    let rows = within(
        Sql::new(conn, "SELECT * FROM audit_entries WHERE TRUE"),
        filter,
        cursor,
    );
    let rows = match &edge {
        Some(edge) => rows.then(" AND id >= ").bind(edge.id),
        None => rows,
    };
    let mut rows: Vec<Model> = conditions(rows, filter)
        .then(" ORDER BY id DESC LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
        .all(conn)
        .await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more).map(|row| row.id);
    Ok(AuditPage {
        entries: rows.into_iter().map(AuditRow::from).collect(),
        next: last.or(edge.as_ref().map(|edge| edge.id)),
        looked_back_to: edge.filter(|_| last.is_none()).map(|edge| edge.at),
    })
}

/// The last entry that a page looks at, when there are more behind it.
async fn edge(
    conn: &impl ConnectionTrait,
    filter: &AuditFilter,
    cursor: Option<i64>,
) -> Result<Option<Edge>, StoreError> {
    within(
        Sql::new(conn, "SELECT id, at FROM audit_entries WHERE TRUE"),
        filter,
        cursor,
    )
    .then(" ORDER BY id DESC LIMIT 1 OFFSET ")
    .bind(LOOKS - 1)
    .one(conn)
    .await
}

fn within(mut statement: Sql, filter: &AuditFilter, cursor: Option<i64>) -> Sql {
    if let Some(cursor) = cursor {
        statement = statement.then(" AND id < ").bind(cursor);
    }
    if let Some(after) = filter.after {
        statement = statement.then(" AND at >= ").bind(after);
    }
    match filter.before {
        Some(before) => statement.then(" AND at < ").bind(before),
        None => statement,
    }
}

fn conditions(mut statement: Sql, filter: &AuditFilter) -> Sql {
    let equal = [
        (" AND actor = ", &filter.actor),
        (" AND action = ", &filter.action),
        (" AND subject_kind = ", &filter.subject_kind),
        (" AND subject_id = ", &filter.subject_id),
    ];
    for (condition, value) in equal {
        if let Some(value) = value {
            statement = statement.then(condition).bind(value.as_str());
        }
    }
    statement
}
