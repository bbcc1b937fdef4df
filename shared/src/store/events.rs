//! What sources are told, in an order that never changes and never skips a row.
//!
//! PostgreSQL hands out `seq` before a transaction commits, so a row with a smaller `seq` may appear after a larger one
//! was read. A row is therefore given its `position` when the feed is read, that is after its commit, by one reader at
//! a time. Waiting for the oldest open transaction instead would let any long write, in any database of the server,
//! hold up every feed. SQLite has one writer; there `seq` is the order of commits.
//!
//! Old events are removed (`retention`). `feed_starts` says for each source up to which place some may be missing; from there on
//! its feed is whole, and only from there on is it read.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use super::sql::Sql;
use super::{CHUNK, StoreError, Tx};
use crate::event::RequestEvent;

/// Key of the advisory lock under which positions are given: "tickfeed" as a number.
const PLACING: i64 = 0x7469_636b_6665_6564;

/// Rows that are given a position in one go.
const PLACED_AT_ONCE: i64 = 10_000;

/// Where a reader of the feed stands. Opaque outside: only ever given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedCursor(i64);

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

/// A text that is no cursor of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no cursor; give one back as it was received, or none to begin at the beginning")]
pub struct BadCursor;

impl FromStr for FeedCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        Ok(Self(i64::from_be_bytes(
            bytes.try_into().map_err(|_| BadCursor)?,
        )))
    }
}

/// What there is behind a cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Stretch {
    /// Events, oldest first, each with the cursor that stands behind it.
    Events(Vec<(FeedCursor, RequestEvent)>),
    /// Some were removed that the reader has not seen; the cursor stands behind the newest event of now.
    Removed(FeedCursor),
}

#[derive(FromQueryResult)]
struct Row {
    place: i64,
    body: Json,
}

#[derive(FromQueryResult)]
struct Last {
    place: Option<i64>,
}

/// Adds news of a request to the feed of its source, in the same transaction as the change.
pub async fn append(
    conn: &impl ConnectionTrait,
    source: &str,
    request_id: Uuid,
    event: &RequestEvent,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    append_all(conn, &[(source, request_id, event)], now).await
}

/// Adds news of several requests, each with its source, in one statement and in this order.
pub async fn append_all(
    conn: &impl ConnectionTrait,
    news: &[(&str, Uuid, &RequestEvent)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if !news.is_empty() {
        insertion(conn, news, now)?.run(conn).await?;
    }
    Ok(())
}

/// The statement that adds news, at least one.
pub(super) fn insertion(
    conn: &impl ConnectionTrait,
    news: &[(&str, Uuid, &RequestEvent)],
    now: DateTime<Utc>,
) -> Result<Sql, StoreError> {
    let values = |(source, request_id, event): &(&str, Uuid, &RequestEvent)| {
        let body =
            serde_json::to_value(event).map_err(|error| StoreError::corrupt("event", error))?;
        Ok(vec![
            (*source).into(),
            (*request_id).into(),
            body.into(),
            now.into(),
        ])
    };
    let rows = news.iter().map(values).collect::<Result<_, StoreError>>()?;
    let columns = "source text, request_id uuid, body jsonb, created_at timestamptz";
    Ok(Sql::given(conn, columns, rows)
        .then("INSERT INTO events (source, request_id, body, created_at) SELECT * FROM given"))
}

/// At most `limit` events of a source after `cursor`; `None`: from the oldest on that is kept.
///
/// Wants the pool, not a transaction: positions are given under a lock that is held to the end of the transaction.
pub async fn after(
    conn: &impl ConnectionTrait,
    source: &str,
    cursor: Option<FeedCursor>,
    limit: u64,
) -> Result<Stretch, StoreError> {
    place(conn).await?;
    let mut behind = match cursor {
        Some(cursor) => cursor,
        None => start(conn, source).await?,
    };
    loop {
        let found = read(conn, source, behind, limit).await?;
        // Asked after the events were read: what is removed in between would be missing otherwise, and nobody would know.
        let start = start(conn, source).await?;
        if start <= behind {
            return Ok(Stretch::Events(found));
        }
        if cursor.is_some() {
            let newest = end(conn, source).await?;
            return Ok(Stretch::Removed(newest.unwrap_or(start)));
        }
        behind = start;
    }
}

async fn read(
    conn: &impl ConnectionTrait,
    source: &str,
    behind: FeedCursor,
    limit: u64,
) -> Result<Vec<(FeedCursor, RequestEvent)>, StoreError> {
    let column = place_column(conn);
    let rows: Vec<Row> = Sql::new(conn, "SELECT ")
        .then(column)
        .then(" AS place, body FROM events WHERE source = ")
        .bind(source)
        .then(" AND ")
        .then(column)
        .then(" > ")
        .bind(behind.0)
        .then(" ORDER BY ")
        .then(column)
        .then(" LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let event = serde_json::from_value(row.body)
                .map_err(|error| StoreError::corrupt("event", error))?;
            Ok((FeedCursor(row.place), event))
        })
        .collect()
}

/// From where on the feed of a source is whole: behind everything that was removed of it.
async fn start(conn: &impl ConnectionTrait, source: &str) -> Result<FeedCursor, StoreError> {
    let removed: Option<Last> = Sql::new(conn, "SELECT place FROM feed_starts WHERE source = ")
        .bind(source)
        .one(conn)
        .await?;
    Ok(FeedCursor(removed.and_then(|row| row.place).unwrap_or(0)))
}

/// Removes events, and lets the feeds begin behind them; how many. In a transaction.
pub(super) async fn remove(conn: &Tx, seqs: &[i64]) -> Result<u64, StoreError> {
    let mut removed = 0;
    for seqs in seqs.chunks(CHUNK) {
        removed += if conn.get_database_backend() == DbBackend::Postgres {
            remove_placed(conn, seqs).await?
        } else {
            remove_in_order(conn, seqs).await?
        };
    }
    Ok(removed)
}

/// An event that nobody has read yet has no position, but might have come behind any cursor that is out there: the feed then begins at
/// a position of its own, which is above all that were given before. One statement, because a reader may give positions meanwhile.
async fn remove_placed(conn: &Tx, seqs: &[i64]) -> Result<u64, StoreError> {
    let gone: Option<Last> = Sql::new(conn, "WITH gone AS (DELETE FROM events WHERE seq")
        .one_of(seqs)
        .then(
            " RETURNING source, position), moved AS (INSERT INTO feed_starts (source, place) \
             SELECT source, CASE WHEN bool_or(position IS NULL) THEN nextval('events_position') ELSE MAX(position) END \
             FROM gone GROUP BY source \
             ON CONFLICT (source) DO UPDATE SET place = GREATEST(feed_starts.place, excluded.place)) \
             SELECT COUNT(*) AS place FROM gone",
        )
        .one(conn)
        .await?;
    let count = gone.and_then(|row| row.place).unwrap_or(0);
    Ok(u64::try_from(count).unwrap_or(0))
}

async fn remove_in_order(conn: &Tx, seqs: &[i64]) -> Result<u64, StoreError> {
    Sql::new(
        conn,
        "INSERT INTO feed_starts (source, place) SELECT source, MAX(seq) FROM events WHERE seq",
    )
    .one_of(seqs)
    .then(" GROUP BY source ON CONFLICT (source) DO UPDATE SET place = MAX(feed_starts.place, excluded.place)")
    .run(conn)
    .await?;
    Sql::new(conn, "DELETE FROM events WHERE seq")
        .one_of(seqs)
        .run(conn)
        .await
}

/// The cursor behind the newest event of a source: where somebody starts who wants only what comes.
pub async fn latest(
    conn: &impl ConnectionTrait,
    source: &str,
) -> Result<Option<FeedCursor>, StoreError> {
    place(conn).await?;
    end(conn, source).await
}

/// The same for several sources; those without an event are left out.
pub async fn ends(
    conn: &impl ConnectionTrait,
    sources: &[String],
) -> Result<Vec<(String, FeedCursor)>, StoreError> {
    let mut ends = Vec::with_capacity(sources.len());
    if !sources.is_empty() {
        place(conn).await?;
    }
    for source in sources {
        ends.extend(end(conn, source).await?.map(|end| (source.clone(), end)));
    }
    Ok(ends)
}

async fn end(conn: &impl ConnectionTrait, source: &str) -> Result<Option<FeedCursor>, StoreError> {
    let last: Option<Last> = Sql::new(conn, "SELECT MAX(")
        .then(place_column(conn))
        .then(") AS place FROM events WHERE source = ")
        .bind(source)
        .one(conn)
        .await?;
    let last = last.and_then(|row| row.place).map(FeedCursor);
    // Behind what was removed, too: whoever goes on from here has missed nothing that is still to be had.
    let start = start(conn, source).await?;
    Ok(last.max((start.0 > 0).then_some(start)))
}

fn place_column(conn: &impl ConnectionTrait) -> &'static str {
    if conn.get_database_backend() == DbBackend::Postgres {
        "position"
    } else {
        "seq"
    }
}

/// Gives positions to the rows that were committed since this was last done.
///
/// The lock is taken before the first position is drawn and held until the positions are visible, so whoever draws
/// later draws higher and nobody can read a higher one while a lower one is still to come.
async fn place(conn: &impl ConnectionTrait) -> Result<(), StoreError> {
    if conn.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    loop {
        let placed = Sql::new(
            conn,
            "WITH waiting AS MATERIALIZED (SELECT seq FROM events WHERE position IS NULL ORDER BY seq LIMIT ",
        )
        .bind(PLACED_AT_ONCE)
        .then("), turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(")
        .bind(PLACING)
        .then(
            ") FROM (SELECT 1 FROM waiting LIMIT 1) AS first), \
             placed AS MATERIALIZED (SELECT waiting.seq, nextval('events_position') AS position \
             FROM waiting WHERE (SELECT COUNT(*) FROM turn) = 1) \
             UPDATE events SET position = placed.position FROM placed \
             WHERE events.seq = placed.seq AND events.position IS NULL",
        )
        .run(conn)
        .await?;
        if placed < u64::try_from(PLACED_AT_ONCE).unwrap_or(u64::MAX) {
            return Ok(());
        }
    }
}
