//! Lets the jobs go now that wait for a connection which is held back.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::unpark;
use crate::job::{JobKind, lane_name};
use crate::store::StoreError;
use crate::store::sql::Sql;

/// So many of those that were turned away are due at once; others come when their time has come, or are taken forward by hand.
pub const HASTENED: u64 = 1_000;

/// Makes the parked jobs of a connection due now, and of those that an open circuit has turned away, or whose own call has opened one of
/// `classes`, the first thousand; how many.
pub async fn hasten(
    conn: &impl ConnectionTrait,
    connection: &str,
    classes: &[String],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let parked = unpark(conn, connection, now).await?;
    let lanes: Vec<String> = JobKind::QUEUES
        .into_iter()
        .map(|kind| lane_name(kind, Some(connection)))
        .collect();
    let classes: Vec<String> = std::iter::once("held".to_owned())
        .chain(classes.iter().cloned())
        .collect();
    let held = Sql::new(conn, "UPDATE jobs SET due_at = ")
        .bind(now)
        .then(", updated_at = ")
        .bind(now)
        .then(
            " WHERE state = 'due' AND id IN (SELECT id FROM jobs WHERE state = 'due' AND due_at > ",
        )
        .bind(now)
        .then(" AND lane")
        .one_of(&lanes)
        .then(" AND last_error_class")
        .one_of(&classes)
        .then(" ORDER BY lane, priority, due_at LIMIT ")
        .bind(i64::try_from(HASTENED).unwrap_or(i64::MAX))
        .then(")")
        .run(conn)
        .await?;
    Ok(parked + held)
}
