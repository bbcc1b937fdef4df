//! Figures as they are stored.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::ALL;
use super::rows::{Backlog, Row, Stored};
use crate::figures::Figures;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// What is known of a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// When it begins.
    pub begins_at: DateTime<Utc>,
    /// How many of its minutes are folded; of none of them anything is known but, perhaps, the backlog.
    pub minutes: u16,
    /// What was done.
    pub figures: Figures,
    /// What waited; `None` when nobody counted.
    pub backlog: Option<Backlog>,
}

/// The spans of `width` minutes (1, 15 or 60) that begin in `from..until`, oldest first; without those of which nothing is known. Of one lane,
/// or of all together.
pub async fn read(
    conn: &impl ConnectionTrait,
    width: i16,
    lane: Option<&str>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Span>, StoreError> {
    let all = rows(conn, width, ALL, from, until).await?;
    let own = match lane {
        Some(lane) => rows(conn, width, lane, from, until).await?,
        None => all.clone(),
    };
    // A lane in which nothing happened has no row: what is known is known of all of them.
    Ok(all
        .into_iter()
        .map(|known| {
            let own = own.iter().find(|row| row.begins_at == known.begins_at);
            Span {
                begins_at: known.begins_at,
                minutes: known.minutes.unsigned_abs(),
                figures: own.map(|row| row.figures.clone()).unwrap_or_default(),
                backlog: known
                    .backlog
                    .map(|_| own.and_then(|row| row.backlog).unwrap_or_default()),
            }
        })
        .collect())
}

async fn rows(
    conn: &impl ConnectionTrait,
    width: i16,
    lane: &str,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Row>, StoreError> {
    let rows: Vec<Stored> = Sql::new(conn, "SELECT * FROM figures WHERE width = ")
        .bind(width)
        .then(" AND lane = ")
        .bind(lane)
        .then(" AND begins_at >= ")
        .bind(from)
        .then(" AND begins_at < ")
        .bind(until)
        .then(" ORDER BY begins_at")
        .all(conn)
        .await?;
    rows.into_iter().map(Row::try_from).collect()
}
