//! Carries the next part of an operation out.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use super::{Operation, Row, count, tell};
use crate::store::audit::Actor;
use crate::store::circuits::{self, Circuit};
use crate::store::jobs::{self, Acted, Among};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError, Tx};

/// Jobs of one part, which is one transaction.
const PART: u32 = 100;
/// Parts of a paced operation are made this often at least, so that its rate is even.
const BEAT: TimeDelta = TimeDelta::seconds(1);
/// How long an operation rests that has to wait for the budget, or for a circuit.
const REST: TimeDelta = TimeDelta::seconds(15);
/// How long it rests after the one job that tries a circuit whose time has come.
const TRY: TimeDelta = TimeDelta::seconds(5);
const BUDGET: &str =
    "the budget of the connection: its calls of this hour are used up, or it asked for quiet";

/// What became of a look for something to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advanced {
    /// Nothing is to be done now.
    Idle,
    /// A part was carried out, with so many jobs.
    Part(u64),
    /// It waits.
    Waits,
}

/// Carries out the next part of the operation whose turn has come. `may` says how many calls a connection has left at this moment, for
/// operations that cause some; `None`: not known.
///
/// Several schedulers share the work: the row is held for the part.
pub async fn advance(
    store: &Store,
    may: impl Fn(Option<&str>) -> Option<u64>,
    now: DateTime<Utc>,
) -> Result<Advanced, StoreError> {
    let tx = store.begin().await?;
    let due: Option<Row> = Sql::new(
        &tx,
        "SELECT * FROM operations WHERE finished_at IS NULL AND next_at <= ",
    )
    .bind(now)
    .then(" ORDER BY next_at LIMIT 1")
    .postgres(" FOR UPDATE SKIP LOCKED")
    .one(&tx)
    .await?;
    let Some(row) = due else {
        return Ok(Advanced::Idle);
    };
    let (position, up_to) = (row.position, row.up_to);
    let operation = Operation::try_from(row)?;
    let left = may(operation.filter.connection.as_deref());
    if operation.per_minute.is_some() && left == Some(0) {
        rest(&tx, operation.id, BUDGET, now + REST, now).await?;
        tx.commit().await?;
        return Ok(Advanced::Waits);
    }
    let most = part(&operation, left);
    let mut looked = candidates(&tx, &operation, position, up_to, most).await?;
    if let Some(circuit) = circuit_of(&tx, &operation, &looked).await? {
        if circuit.until > now {
            let what = format!("the circuit of {}: {}", circuit.connection, circuit.reason);
            // It may be closed before its time.
            let until = circuit.until.min(now + REST);
            rest(&tx, operation.id, &what, until, now).await?;
            tx.commit().await?;
            return Ok(Advanced::Waits);
        }
        looked = Looked {
            rest: TRY,
            ..candidates(&tx, &operation, position, up_to, 1).await?
        };
    }
    let mut part = Part::default();
    for id in &looked.ids {
        let actor = Actor::Operator(operation.operator.clone());
        match jobs::act(
            &tx,
            *id,
            operation.action,
            &actor,
            operation.reason.as_deref(),
            now,
        )
        .await?
        {
            Acted::Done => part.done += 1,
            Acted::Skipped(why) => {
                part.skipped += 1;
                part.last_skipped = Some(why);
            }
        }
    }
    save(&tx, &operation, &looked, &part, now).await?;
    tx.commit().await?;
    Ok(Advanced::Part(part.done + part.skipped))
}

#[derive(Default)]
struct Part {
    done: u64,
    skipped: u64,
    last_skipped: Option<&'static str>,
}

/// The next jobs, and how far was looked.
struct Looked {
    ids: Vec<Uuid>,
    position: Option<Uuid>,
    is_last: bool,
    /// How long to rest behind them at least.
    rest: TimeDelta,
}

/// A circuit that holds one of the next jobs, when the operation is to wait for such: the one that lasts longest.
async fn circuit_of(
    tx: &Tx,
    operation: &Operation,
    looked: &Looked,
) -> Result<Option<Circuit>, StoreError> {
    let mut found: Option<Circuit> = None;
    if !operation.waits_for_circuit {
        return Ok(found);
    }
    for circuit in circuits::all(tx).await? {
        let is_later = found.as_ref().is_none_or(|it| it.until < circuit.until);
        let among = Among::Ids(&looked.ids);
        if is_later && jobs::count_held(tx, among, &circuit.connection, 1).await? > 0 {
            found = Some(circuit);
        }
    }
    Ok(found)
}

fn part(operation: &Operation, left: Option<u64>) -> u32 {
    let paced = operation
        .per_minute
        .map_or(PART, |rate| rate.div_ceil(60).min(PART));
    let left = left.map_or(PART, |left| u32::try_from(left).unwrap_or(PART));
    match operation.per_minute {
        Some(_) => paced.min(left),
        None => PART,
    }
}

async fn candidates(
    tx: &Tx,
    operation: &Operation,
    position: Option<Uuid>,
    up_to: Uuid,
    most: u32,
) -> Result<Looked, StoreError> {
    let most_ids = usize::try_from(most).unwrap_or(usize::MAX);
    if !operation.ids.is_empty() {
        let done = usize::try_from(operation.done + operation.skipped).unwrap_or(usize::MAX);
        let ids: Vec<Uuid> = operation
            .ids
            .iter()
            .skip(done)
            .take(most_ids)
            .copied()
            .collect();
        let is_last = done + ids.len() >= operation.ids.len();
        return Ok(Looked {
            ids,
            position: None,
            is_last,
            rest: TimeDelta::zero(),
        });
    }
    let behind = position.unwrap_or(up_to);
    let page = jobs::search(tx, &operation.filter, Some(behind), most.into()).await?;
    Ok(Looked {
        ids: page.jobs.iter().map(|job| job.id).collect(),
        position: page.next,
        is_last: page.next.is_none(),
        rest: TimeDelta::zero(),
    })
}

async fn save(
    tx: &Tx,
    operation: &Operation,
    looked: &Looked,
    part: &Part,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let next_at = match operation.per_minute {
        Some(rate) if !looked.ids.is_empty() => {
            let taken = i64::try_from(looked.ids.len()).unwrap_or(i64::MAX);
            (now + TimeDelta::milliseconds(taken * 60_000 / i64::from(rate.max(1)))).max(now + BEAT)
        }
        _ => now,
    };
    let next_at = next_at.max(now + looked.rest);
    Sql::new(tx, "UPDATE operations SET done = done + ")
        .bind(count(part.done))
        .then(", skipped = skipped + ")
        .bind(count(part.skipped))
        .then(", last_skipped = COALESCE(")
        .bind(part.last_skipped.map(str::to_owned))
        .then(", last_skipped), position = ")
        .bind(looked.position)
        .then(", waits_for = NULL, next_at = ")
        .bind(next_at)
        .then(", updated_at = ")
        .bind(now)
        .then(", finished_at = ")
        .bind(looked.is_last.then_some(now))
        .then(" WHERE id = ")
        .bind(operation.id)
        .run(tx)
        .await?;
    if looked.is_last {
        let detail = json!({
            "matched": operation.matched, "done": operation.done + part.done, "skipped": operation.skipped + part.skipped,
        });
        let actor = Actor::System("scheduler");
        tell(
            tx,
            operation.id,
            "operation.ended",
            &actor,
            None,
            detail,
            now,
        )
        .await?;
    }
    Ok(())
}

async fn rest(
    conn: &impl ConnectionTrait,
    id: Uuid,
    what: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(conn, "UPDATE operations SET waits_for = ")
        .bind(what)
        .then(", next_at = ")
        .bind(until)
        .then(", updated_at = ")
        .bind(now)
        .then(" WHERE id = ")
        .bind(id)
        .run(conn)
        .await?;
    Ok(())
}
