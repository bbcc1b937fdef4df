//! Rows of `figures`.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde_json::Value as Json;

use crate::figures::{Durations, Figures};
use crate::store::StoreError;
use crate::store::sql::Sql;

/// What waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that no worker had; of a longer span, the most that were counted at the end of a minute.
    pub waiting: u64,
    /// For how long the oldest of them was due, in milliseconds.
    pub oldest_ms: u64,
}

/// What was done in a lane from `begins_at` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) width: i16,
    pub(super) lane: String,
    pub(super) begins_at: DateTime<Utc>,
    /// Minutes of the span that are folded.
    pub(super) minutes: i16,
    pub(super) figures: Figures,
    pub(super) backlog: Option<Backlog>,
}

impl Row {
    pub(super) fn of_backlog(lane: String, minute: DateTime<Utc>, backlog: Backlog) -> Self {
        Self {
            width: 1,
            lane,
            begins_at: minute,
            minutes: 0,
            figures: Figures::default(),
            backlog: Some(backlog),
        }
    }

    /// Adds a part of the span.
    pub(super) fn add(&mut self, part: &Self) {
        self.minutes += part.minutes;
        self.figures.add(&part.figures);
        self.backlog = match (self.backlog, part.backlog) {
            (Some(a), Some(b)) => Some(Backlog {
                waiting: a.waiting.max(b.waiting),
                oldest_ms: a.oldest_ms.max(b.oldest_ms),
            }),
            (a, b) => a.or(b),
        };
    }
}

/// As stored.
#[derive(Debug, FromQueryResult)]
pub(super) struct Stored {
    width: i16,
    lane: String,
    begins_at: DateTime<Utc>,
    minutes: i16,
    created: i64,
    tickets: i64,
    attempts: i64,
    done: i64,
    dead: i64,
    cancelled: i64,
    parked: i64,
    retried: i64,
    latency: Json,
    calls: Json,
    waiting: Option<i64>,
    oldest_ms: Option<i64>,
}

impl TryFrom<Stored> for Row {
    type Error = StoreError;

    fn try_from(it: Stored) -> Result<Self, StoreError> {
        Ok(Self {
            width: it.width,
            lane: it.lane,
            begins_at: it.begins_at,
            minutes: it.minutes,
            figures: Figures {
                created: it.created.unsigned_abs(),
                tickets: it.tickets.unsigned_abs(),
                attempts: it.attempts.unsigned_abs(),
                done: it.done.unsigned_abs(),
                dead: it.dead.unsigned_abs(),
                cancelled: it.cancelled.unsigned_abs(),
                parked: it.parked.unsigned_abs(),
                retried: it.retried.unsigned_abs(),
                latency: durations(it.latency)?,
                calls: durations(it.calls)?,
            },
            backlog: it.waiting.map(|waiting| Backlog {
                waiting: waiting.unsigned_abs(),
                oldest_ms: it.oldest_ms.unwrap_or_default().unsigned_abs(),
            }),
        })
    }
}

fn durations(json: Json) -> Result<Durations, StoreError> {
    serde_json::from_value(json).map_err(|error| StoreError::corrupt("durations", error))
}

/// Writes what was done in the place of what was there; what was counted of the backlog stays unless the row brings its own.
pub(super) async fn put(conn: &impl ConnectionTrait, rows: &[Row]) -> Result<(), StoreError> {
    write(
        conn,
        rows,
        "minutes = excluded.minutes, created = excluded.created, tickets = excluded.tickets, attempts = excluded.attempts, done = excluded.done, \
         dead = excluded.dead, cancelled = excluded.cancelled, parked = excluded.parked, retried = excluded.retried, \
         latency = excluded.latency, calls = excluded.calls, waiting = COALESCE(excluded.waiting, figures.waiting), \
         oldest_ms = COALESCE(excluded.oldest_ms, figures.oldest_ms)",
    )
    .await
}

/// Writes what waits, and nothing else of a row that is there.
pub(super) async fn put_backlog(
    conn: &impl ConnectionTrait,
    rows: &[Row],
) -> Result<(), StoreError> {
    write(
        conn,
        rows,
        "waiting = excluded.waiting, oldest_ms = excluded.oldest_ms",
    )
    .await
}

async fn write(conn: &impl ConnectionTrait, rows: &[Row], set: &str) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let values = rows.iter().map(values).collect::<Result<_, _>>()?;
    Sql::given(
        conn,
        "width smallint, lane text, begins_at timestamptz, minutes smallint, created bigint, tickets bigint, attempts bigint, done bigint, \
         dead bigint, cancelled bigint, parked bigint, retried bigint, latency jsonb, calls jsonb, waiting bigint, \
         oldest_ms bigint",
        values,
    )
    .then(
        "INSERT INTO figures (width, lane, begins_at, minutes, created, tickets, attempts, done, dead, cancelled, parked, retried, \
         latency, calls, waiting, oldest_ms) SELECT * FROM given WHERE TRUE ON CONFLICT (width, lane, begins_at) DO UPDATE SET ",
    )
    .then(set)
    .run(conn)
    .await?;
    Ok(())
}

fn values(row: &Row) -> Result<Vec<Value>, StoreError> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let json = |durations: &Durations| {
        serde_json::to_value(durations).map_err(|error| StoreError::corrupt("durations", error))
    };
    let figures = &row.figures;
    Ok(vec![
        row.width.into(),
        row.lane.as_str().into(),
        row.begins_at.into(),
        row.minutes.into(),
        number(figures.created).into(),
        number(figures.tickets).into(),
        number(figures.attempts).into(),
        number(figures.done).into(),
        number(figures.dead).into(),
        number(figures.cancelled).into(),
        number(figures.parked).into(),
        number(figures.retried).into(),
        json(&figures.latency)?.into(),
        json(&figures.calls)?.into(),
        row.backlog.map(|it| number(it.waiting)).into(),
        row.backlog.map(|it| number(it.oldest_ms)).into(),
    ])
}
