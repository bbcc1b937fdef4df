//! Folds the rows that jobs have left into the figures of their minute.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::gather::gather;
use super::rows::{Row, Stored, put};
use super::{KEPT, LATE, MINUTE, Moment, SETTLED, begin_of};
use crate::figures::Figures;
use crate::store::ids::time_of;
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx, retention};

/// The turn: one minute is folded at a time, for a quarter of an hour is added up from several.
const TURN: &str = "minutes";
/// Longer spans: minutes, and of which shorter ones they are made.
const LONGER: [(i16, i16); 2] = [(15, 1), (60, 15)];

/// Folds the next minute, or one for the last time; which. `None` when there is none, or when somebody else is at it. Nothing counts before
/// `tx` is committed.
pub async fn fold(tx: &Tx, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    if retention::take(tx, TURN, now).await?.is_none() {
        return Ok(None);
    }
    let minute = if let Some(minute) = next(tx, now).await? {
        let first = Sql::new(tx, "INSERT INTO minutes (minute, folded_at) VALUES (")
            .bind(minute)
            .then(", ")
            .bind(now)
            .then(
                ") ON CONFLICT (minute) DO UPDATE SET folded_at = excluded.folded_at \
                 WHERE minutes.folded_at IS NULL",
            );
        (first.run(tx).await? > 0).then_some(minute)
    } else if let Some(minute) = unsettled(tx, now).await? {
        let last = Sql::new(tx, "UPDATE minutes SET settled_at = ")
            .bind(now)
            .then(" WHERE settled_at IS NULL AND minute = ")
            .bind(minute);
        (last.run(tx).await? > 0).then_some(minute)
    } else {
        None
    };
    if let Some(minute) = minute {
        write(tx, minute).await?;
    }
    Ok(minute)
}

/// What happened from then on is not folded yet, and its rows are still needed. `None` when nothing ever was.
pub async fn folded_until(
    conn: &impl ConnectionTrait,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let last: Option<Moment> = Sql::new(
        conn,
        "SELECT MAX(minute) AS at FROM minutes WHERE folded_at IS NOT NULL",
    )
    .one(conn)
    .await?;
    Ok(last.and_then(|row| row.at).map(|minute| minute + MINUTE))
}

#[derive(FromQueryResult)]
struct First {
    id: Uuid,
}

/// The minute behind the last one that is folded, when it has settled. The first of all is that of the oldest job.
async fn next(tx: &Tx, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let begin = if let Some(until) = folded_until(tx).await? {
        until
    } else {
        let first: Option<First> = Sql::new(tx, "SELECT id FROM jobs ORDER BY id LIMIT 1")
            .one(tx)
            .await?;
        let Some(first) = first else {
            return Ok(None);
        };
        begin_of(time_of(first.id), 1)
    };
    let begin = begin.max(begin_of(now - KEPT, 60) + TimeDelta::hours(1));
    Ok((begin + MINUTE + SETTLED <= now).then_some(begin))
}

/// The oldest minute that has waited long enough for its last rows.
async fn unsettled(tx: &Tx, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let oldest: Option<Moment> = Sql::new(
        tx,
        "SELECT minute AS at FROM minutes WHERE settled_at IS NULL AND folded_at <= ",
    )
    .bind(now - LATE)
    .then(" ORDER BY minute LIMIT 1")
    .one(tx)
    .await?;
    Ok(oldest.and_then(|row| row.at))
}

async fn write(tx: &Tx, minute: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<Row> = gather(tx, minute)
        .await?
        .into_iter()
        .map(|(lane, figures)| Row {
            width: 1,
            lane,
            begins_at: minute,
            minutes: 1,
            figures,
            backlog: None,
        })
        .collect();
    put(tx, &rows).await?;
    for (width, of) in LONGER {
        add_up(tx, width, of, begin_of(minute, width)).await?;
    }
    Ok(())
}

/// Adds up a longer span from all its shorter ones, in the place of what was there.
async fn add_up(tx: &Tx, width: i16, of: i16, begins_at: DateTime<Utc>) -> Result<(), StoreError> {
    let parts: Vec<Stored> = Sql::new(tx, "SELECT * FROM figures WHERE width = ")
        .bind(of)
        .then(" AND begins_at >= ")
        .bind(begins_at)
        .then(" AND begins_at < ")
        .bind(begins_at + TimeDelta::minutes(i64::from(width)))
        .all(tx)
        .await?;
    let mut sums = BTreeMap::<String, Row>::new();
    for part in parts {
        let part = Row::try_from(part)?;
        let sum = sums.entry(part.lane.clone()).or_insert_with(|| Row {
            width,
            lane: part.lane.clone(),
            begins_at,
            minutes: 0,
            figures: Figures::default(),
            backlog: None,
        });
        sum.add(&part);
    }
    put(tx, &sums.into_values().collect::<Vec<_>>()).await
}
