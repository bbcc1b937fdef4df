//! What was done in each minute, by lane. Nobody writes it down while a job runs: it is folded from the rows that jobs leave anyway.
//!
//! A minute is folded when it has settled, once, by whoever holds the turn; the same transaction marks it as folded, so a scheduler that
//! dies leaves it to the next. Rows of it may still appear, for a transaction commits later than it takes its time and clocks differ: a
//! quarter of an hour later it is folded anew, from all its rows, in the place of what was there. Quarters of an hour and hours are added
//! up from their minutes each time. What waits at the end of a minute cannot be told afterwards and is counted when the minute ends.

mod count;
mod fold;
mod gather;
mod read;
mod rows;

pub use count::count;
pub use fold::{fold, folded_until};
pub use read::{Span, read};
pub use rows::Backlog;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;

use super::sql::Sql;
use super::{Store, StoreError};

/// The lane that stands for all of them together.
pub const ALL: &str = "all";
/// Figures and minutes are kept for so long.
pub const KEPT: TimeDelta = TimeDelta::days(8);

/// A minute is folded when it is over for this long: by then nearly every transaction of its time has ended.
const SETTLED: TimeDelta = TimeDelta::seconds(60);
/// So long after it was folded a minute is folded for the last time.
const LATE: TimeDelta = TimeDelta::minutes(15);
const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[derive(FromQueryResult)]
struct Moment {
    at: Option<DateTime<Utc>>,
}

/// The span of so many minutes that `at` lies in begins then.
pub fn begin_of(at: DateTime<Utc>, minutes: i16) -> DateTime<Utc> {
    let width = i64::from(minutes) * 60;
    let seconds = at.timestamp().div_euclid(width) * width;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

/// Removes what is older than [`KEPT`], an hour of it at most; how many minutes.
pub async fn forget(store: &Store, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let conn = store.conn();
    let oldest: Option<Moment> = Sql::new(conn, "SELECT MIN(minute) AS at FROM minutes")
        .one(conn)
        .await?;
    let oldest = oldest.and_then(|row| row.at);
    let limit = begin_of(now - KEPT, 60);
    let Some(oldest) = oldest.filter(|oldest| *oldest < limit) else {
        return Ok(0);
    };
    let until = limit.min(oldest + TimeDelta::hours(1));
    let tx = store.begin().await?;
    Sql::new(&tx, "DELETE FROM figures WHERE begins_at < ")
        .bind(until)
        .run(&tx)
        .await?;
    let removed = Sql::new(&tx, "DELETE FROM minutes WHERE minute < ")
        .bind(until)
        .run(&tx)
        .await?;
    tx.commit().await?;
    Ok(removed)
}
