//! The months of the tables that are only ever added to. PostgreSQL only.
//!
//! The name of a partition says what it holds: `attempts_2026_03` that month, `attempts_before_2026_03` all before it,
//! `attempts_default` what fits nowhere else. Others are not ours and left alone.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Month, first_id};
use crate::store::sql::Sql;
use crate::store::{StoreError, Tx};

/// Whoever waits for a lock on a whole table makes everybody wait behind it: rather try again with the next tick.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

/// The requests that have not ended, which are watched, or have a job that has not: by partial indexes, without a look at the others.
const HELD: &str = "SELECT id FROM requests WHERE watched AND state NOT IN ('fulfilled', 'denied', 'cancelled') \
                    UNION SELECT request_id FROM jobs WHERE finished_at IS NULL AND request_id IS NOT NULL";

/// A table in months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monthly {
    table: &'static str,
    /// The column by which rows are sorted into months.
    key: &'static str,
    /// What finds the rows of requests that are `held`.
    of_request: &'static str,
}

/// Both.
pub const MONTHLY: [Monthly; 2] = [
    Monthly {
        table: "attempts",
        key: "id",
        of_request: "kept.request_id = held.id",
    },
    Monthly {
        table: "audit_entries",
        key: "at",
        of_request: "kept.subject_kind = 'request' AND kept.subject_id = held.id::text",
    },
];

/// A partition that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Everything in it was older than this.
    pub until: DateTime<Utc>,
    /// Rows that went with it.
    pub rows: u64,
}

#[derive(FromQueryResult)]
struct Named {
    name: String,
}

#[derive(FromQueryResult)]
struct Counted {
    rows: i64,
}

impl Monthly {
    /// The bound of a partition, as SQL has it.
    fn bound(self, at: DateTime<Utc>) -> String {
        if self.key == "id" {
            format!("'{}'", first_id(at))
        } else {
            format!("'{}'", at.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
    }

    /// Its partitions that we know, each with the month at whose start it ends.
    async fn partitions(
        self,
        conn: &impl ConnectionTrait,
    ) -> Result<Vec<(String, Month)>, StoreError> {
        let rows: Vec<Named> = Sql::new(
            conn,
            "SELECT pg_class.relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = pg_inherits.inhrelid \
             WHERE pg_inherits.inhparent = '",
        )
        .then(self.table)
        .then("'::regclass")
        .all(conn)
        .await?;
        let mut known: Vec<_> = rows
            .into_iter()
            .filter_map(|row| {
                let of = row.name.strip_prefix(self.table)?.strip_prefix('_')?;
                let until = match of.strip_prefix("before_") {
                    Some(before) => before.parse().ok()?,
                    None => of.parse::<Month>().ok()?.plus(1),
                };
                Some((row.name, until))
            })
            .collect();
        known.sort_by_key(|(_, until)| *until);
        Ok(known)
    }
}

/// Makes the partitions of this month and of so many to come, where they are missing. What lay in the default partition in their stead
/// moves over.
pub async fn ensure_months(
    tx: &Tx,
    monthly: Monthly,
    now: DateTime<Utc>,
    ahead: u32,
) -> Result<(), StoreError> {
    let known = monthly.partitions(tx).await?;
    for month in (0..=ahead).map(|months| Month::of(now).plus(months)) {
        let name = format!("{}_{month}", monthly.table);
        let past = known
            .iter()
            .any(|(name, until)| name.contains("_before_") && month < *until);
        if past || known.iter().any(|(there, _)| *there == name) {
            continue;
        }
        make_month(tx, monthly, &name, month).await?;
    }
    Ok(())
}

/// Writers wait at the table as a whole: a row that was given to the default partition before the new one is there would be refused
/// after it is. Readers wait only at the default partition.
async fn make_month(tx: &Tx, monthly: Monthly, name: &str, month: Month) -> Result<(), StoreError> {
    let Monthly { table, key, .. } = monthly;
    let from = monthly.bound(month.start());
    let to = monthly.bound(month.plus(1).start());
    for statement in [
        PATIENCE.to_owned(),
        format!("LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE"),
        format!("LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"),
        format!("CREATE TABLE {name} (LIKE {table})"),
        format!(
            "WITH moved AS (DELETE FROM {table}_default WHERE {key} >= {from} AND {key} < {to} RETURNING *) \
             INSERT INTO {name} SELECT * FROM moved"
        ),
        format!("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"),
    ] {
        tx.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Drops the oldest partition if all in it is older than `limit`; the rows of requests that have not ended move to the default
/// partition. `None` when there is none. In a transaction of its own: it holds the whole table for a moment.
pub async fn drop_oldest(
    tx: &Tx,
    monthly: Monthly,
    limit: DateTime<Utc>,
) -> Result<Option<Dropped>, StoreError> {
    let known = monthly.partitions(tx).await?;
    let Some((name, until)) = known.into_iter().find(|(_, until)| until.start() <= limit) else {
        return Ok(None);
    };
    let Monthly {
        table, of_request, ..
    } = monthly;
    // Counted before the table is held: nothing is added to a month that is long over.
    let rows = count(tx, &name).await?;
    tx.execute_unprepared(PATIENCE).await?;
    tx.execute_unprepared(&format!("ALTER TABLE {table} DETACH PARTITION {name}"))
        .await?;
    let kept = format!(
        "WITH held AS MATERIALIZED ({HELD}) INSERT INTO {table} SELECT kept.* FROM held JOIN {name} AS kept ON {of_request}"
    );
    let kept = tx.execute_unprepared(&kept).await?.rows_affected();
    tx.execute_unprepared(&format!("DROP TABLE {name}")).await?;
    Ok(Some(Dropped {
        name,
        until: until.start(),
        rows: rows.saturating_sub(kept),
    }))
}

async fn count(tx: &Tx, name: &str) -> Result<u64, StoreError> {
    let counted: Option<Counted> = Sql::new(tx, "SELECT COUNT(*) AS rows FROM ")
        .then(name)
        .one(tx)
        .await?;
    Ok(counted.map_or(0, |it| u64::try_from(it.rows).unwrap_or_default()))
}
