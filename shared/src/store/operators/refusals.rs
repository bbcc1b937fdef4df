//! Refused log-ins, by name and by network address, so that nobody can guess for long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::store::StoreError;
use crate::store::sql::Sql;

/// As many refusals are free; each further one is answered only when [`WAIT`] has passed since the last.
pub const MOST_REFUSALS: i64 = 5;
/// How long a name or an address waits; after that its refusals are forgotten.
pub const WAIT: TimeDelta = TimeDelta::minutes(5);

#[derive(FromQueryResult)]
struct Last {
    last_at: DateTime<Utc>,
}

/// Counts a refusal for each of `subjects`: `name:<operator>`, `address:<network address>`. Refusals that are older than [`WAIT`]
/// are forgotten.
pub async fn refuse(
    conn: &impl ConnectionTrait,
    subjects: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for subject in subjects {
        Sql::new(conn, "INSERT INTO login_refusals (subject, count, last_at) VALUES (")
            .bind(subject.as_str())
            .then(", 1, ")
            .bind(now)
            .then(") ON CONFLICT (subject) DO UPDATE SET last_at = excluded.last_at, count = CASE WHEN login_refusals.last_at <= ")
            .bind(now - WAIT)
            .then(" THEN 1 ELSE login_refusals.count + 1 END")
            .run(conn)
            .await?;
    }
    Ok(())
}

/// Until when none of `subjects` may try again; `None` when they may now.
pub async fn refused_until(
    conn: &impl ConnectionTrait,
    subjects: &[String],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let rows: Vec<Last> = Sql::new(conn, "SELECT last_at FROM login_refusals WHERE count >= ")
        .bind(MOST_REFUSALS)
        .then(" AND last_at > ")
        .bind(now - WAIT)
        .then(" AND subject")
        .one_of(subjects)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.last_at + WAIT).max())
}

/// Forgets the refusals of `subject`, or, without one, all that are too old to count; how many.
pub async fn forget_refusals(
    conn: &impl ConnectionTrait,
    subject: Option<&str>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let forget = Sql::new(conn, "DELETE FROM login_refusals WHERE ");
    match subject {
        Some(subject) => forget.then("subject = ").bind(subject),
        None => forget.then("last_at <= ").bind(now - WAIT),
    }
    .run(conn)
    .await
}
