//! Ends the run of a job, under the lease it was claimed with.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::job::Lease;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Done,
    /// To be run again.
    Retry {
        /// Not before.
        due_at: DateTime<Utc>,
        /// Class of the error.
        class: String,
        /// What happened, without secrets.
        message: String,
        /// Whether it counts as an attempt (429 does not).
        uses_attempt: bool,
    },
    /// Claimed, but not run: to be looked at again. It says nothing about the job, so the count of its dead workers stays.
    PutOff {
        /// Not before.
        due_at: DateTime<Utc>,
        /// Why, as a stable word.
        class: String,
        /// Why, in words.
        message: String,
    },
    /// Waits until somebody mends the configuration; counts as no attempt.
    Parked {
        /// What to mend.
        reason: String,
        /// Class of the error.
        class: String,
    },
    /// Badly, for good.
    Dead {
        /// What happened.
        reason: String,
        /// Class of the error.
        class: String,
    },
    /// No longer needed.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// Writes the end of a run, last in the closing transaction. False when the lease is lost: roll everything back.
///
/// A job that was asked for again while it ran (see `insert`) is due at once instead of done or dead. A run that came to an
/// end, whichever, has not killed its worker: the count of those that died over the job begins anew.
pub async fn finish(
    conn: &impl ConnectionTrait,
    id: Uuid,
    lease: &Lease,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(finish_all(conn, &[(id, lease)], ending, now).await? == 1)
}

/// The same for several jobs that ended alike, in one statement; how many leases held.
pub async fn finish_all(
    conn: &impl ConnectionTrait,
    jobs: &[(Uuid, &Lease)],
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let values = |(id, lease): &(Uuid, &Lease)| {
        vec![
            (*id).into(),
            lease.owner.as_str().into(),
            lease.token.into(),
        ]
    };
    let rows = jobs.iter().map(values).collect();
    // Written so that no index of the jobs that run fits: it holds all that ran since the last vacuum, and PostgreSQL would go through
    // them for every batch. Each row is found by its id.
    let sql = Sql::given(conn, "job uuid, owner text, token bigint", rows)
        .then("UPDATE jobs SET rung_at = NULL, again = FALSE, updated_at = ")
        .bind(now);
    set_ending(sql, ending, now)
        .then(" FROM given WHERE id = job AND state || '' = 'running' AND lease_owner = owner AND lease_token = token")
        .run(conn)
        .await
}

fn set_ending(sql: Sql, ending: &Ending, now: DateTime<Utc>) -> Sql {
    match ending {
        Ending::Done => error(ended_unless_again(sql, "done", now), None, None),
        Ending::Dead { reason, class } => error(
            ended_unless_again(sql, "dead", now),
            Some(class),
            Some(reason),
        ),
        Ending::Cancelled { reason } => error(
            sql.then(", state = 'cancelled', finished_at = ").bind(now),
            None,
            Some(reason),
        ),
        Ending::Parked { reason, class } => {
            error(sql.then(", state = 'parked'"), Some(class), Some(reason))
        }
        Ending::PutOff {
            due_at,
            class,
            message,
        } => {
            let sql = sql.then(", state = 'due', due_at = ").bind(*due_at);
            error_alone(sql, Some(class), Some(message))
        }
        Ending::Retry {
            due_at,
            class,
            message,
            uses_attempt,
        } => {
            let sql = sql
                .then(", state = 'due', due_at = ")
                .bind(*due_at)
                .then(", attempts = attempts + ");
            error(
                sql.bind(i32::from(*uses_attempt)),
                Some(class),
                Some(message),
            )
        }
    }
}

/// `attempts` counts the run, unless the job starts afresh because it was asked for again.
fn ended_unless_again(sql: Sql, state: &'static str, now: DateTime<Utc>) -> Sql {
    sql.then(", state = CASE WHEN again THEN 'due' ELSE ")
        .bind(state)
        .then(" END, due_at = CASE WHEN again THEN ")
        .bind(now)
        .then(" ELSE due_at END, attempts = CASE WHEN again THEN 0 ELSE attempts + 1 END, finished_at = CASE WHEN again THEN NULL ELSE ")
        .bind(now)
        .then(" END, first_started_at = CASE WHEN again THEN NULL ELSE first_started_at END")
}

fn error(sql: Sql, class: Option<&String>, message: Option<&String>) -> Sql {
    error_alone(sql.then(", worker_deaths = 0"), class, message)
}

fn error_alone(sql: Sql, class: Option<&String>, message: Option<&String>) -> Sql {
    sql.then(", last_error_class = ")
        .bind(class.cloned())
        .then(", last_error = ")
        .bind(message.cloned())
}
