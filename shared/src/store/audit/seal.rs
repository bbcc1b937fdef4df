//! Seals the audit trail: entries are gathered into blocks, each with a digest of every entry and bound to the block before it, so that an
//! entry that is altered or removed later is told by name (`verify`).
//!
//! PostgreSQL numbers an entry before its transaction commits: an entry may appear below one that was sealed. Blocks therefore
//! wait a while, and what appears later still fills a gap between the numbers of a block; it is sealed in a late block of its own.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use sha2::{Digest as _, Sha256};

use super::AuditRow;
use crate::store::entities::audit_entries::Model;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};

/// Entries of a block.
const BLOCK: i64 = 1_000;
/// An entry is sealed when it is this old: by then nearly every transaction of its time has ended.
const SETTLED: TimeDelta = TimeDelta::seconds(60);
/// For so long the gaps of a block are looked into; no transaction lasts longer.
const LATE: TimeDelta = TimeDelta::minutes(15);
/// Bytes of a digest that are kept.
const KEPT: usize = 16;

/// A block as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Seal {
    /// Counts up without a gap.
    pub number: i64,
    /// Whether it holds entries that appeared after their neighbours were sealed.
    pub is_late: bool,
    /// Of a regular block the number behind the block before, of the first and of late ones the smallest entry.
    pub first_id: i64,
    /// Its largest entry.
    pub last_id: i64,
    /// When its oldest entry was written.
    pub first_at: DateTime<Utc>,
    /// When its newest entry was written.
    pub last_at: DateTime<Utc>,
    /// Of each entry its number (8 bytes, the highest first) and the first 16 bytes of its digest.
    pub digests: Vec<u8>,
    /// SHA-256 over the chain of the block before and this block.
    pub chain: Vec<u8>,
    /// When it was sealed.
    pub sealed_at: DateTime<Utc>,
}

impl Seal {
    /// Its entries: number and digest.
    pub(super) fn entries(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.digests.chunks_exact(8 + KEPT).map(|part| {
            let mut number = [0_u8; 8];
            number.copy_from_slice(&part[..8]);
            (i64::from_be_bytes(number), &part[8..])
        })
    }

    /// The numbers between its entries that were not there.
    fn gaps(&self) -> Vec<i64> {
        if self.is_late {
            return Vec::new();
        }
        let there: BTreeSet<i64> = self.entries().map(|(id, _)| id).collect();
        (self.first_id..=self.last_id)
            .filter(|id| !there.contains(id))
            .collect()
    }
}

/// The newest block.
pub async fn head(conn: &impl ConnectionTrait) -> Result<Option<Seal>, StoreError> {
    Sql::new(
        conn,
        "SELECT * FROM audit_seals ORDER BY number DESC LIMIT 1",
    )
    .one(conn)
    .await
}

/// Seals the next block, if there are entries that have settled; how many. Several schedulers may try at once: the number of a block is
/// given once, and who comes second seals nothing.
pub async fn seal(store: &Store, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let tx = store.begin().await?;
    let head = head(&tx).await?;
    let newest = head.as_ref().map_or(0, |head| head.number);
    let late = late(&tx, newest, now).await?;
    let behind = sealed_up_to(&tx).await?;
    let (is_late, rows) = if late.is_empty() {
        (false, settled(&tx, behind.unwrap_or(0), now).await?)
    } else {
        (true, late)
    };
    let Some(mut seal) = block(head.as_ref(), is_late, &rows, now) else {
        return Ok(0);
    };
    if let Some(behind) = behind.filter(|_| !is_late) {
        seal.first_id = behind + 1;
    }
    match insert(&tx, &seal).await {
        Ok(()) => {}
        // Another scheduler was faster.
        Err(StoreError::Conflict { .. } | StoreError::Raced(_)) => return Ok(0),
        Err(error) => return Err(error),
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}

#[derive(FromQueryResult)]
struct Place {
    place: Option<i64>,
}

/// The largest entry of the regular blocks, when there are any.
async fn sealed_up_to(conn: &impl ConnectionTrait) -> Result<Option<i64>, StoreError> {
    let last: Option<Place> = Sql::new(
        conn,
        "SELECT last_id AS place FROM audit_seals WHERE NOT is_late ORDER BY number DESC LIMIT 1",
    )
    .one(conn)
    .await?;
    Ok(last.and_then(|row| row.place))
}

async fn settled(
    conn: &impl ConnectionTrait,
    behind: i64,
    now: DateTime<Utc>,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows: Vec<Model> = Sql::new(conn, "SELECT * FROM audit_entries WHERE id > ")
        .bind(behind)
        .then(" ORDER BY id LIMIT ")
        .bind(BLOCK)
        .all(conn)
        .await?;
    // In the order of numbers: what stands behind one that has not settled waits with it.
    Ok(rows
        .into_iter()
        .take_while(|row| row.at <= now - SETTLED)
        .map(AuditRow::from)
        .collect())
}

/// More blocks than these are not sealed in that time.
const YOUNG: i64 = 10_000;
/// Blocks with gaps that are looked into; in nearly all there is none.
const GAPPED: i64 = 200;

/// Entries that have filled gaps of young blocks.
async fn late(
    conn: &impl ConnectionTrait,
    newest: i64,
    now: DateTime<Utc>,
) -> Result<Vec<AuditRow>, StoreError> {
    let young: Vec<Seal> = Sql::new(
        conn,
        "SELECT * FROM audit_seals WHERE (is_late OR last_id - first_id + 1 > LENGTH(digests) / 24) AND sealed_at > ",
    )
    .bind(now - LATE)
    .then(" AND number > ")
    .bind(newest - YOUNG)
    .then(" ORDER BY number DESC LIMIT ")
    .bind(GAPPED)
    .all(conn)
    .await?;
    let known: BTreeSet<i64> = young
        .iter()
        .filter(|seal| seal.is_late)
        .flat_map(|seal| seal.entries().map(|(id, _)| id).collect::<Vec<_>>())
        .collect();
    let mut gaps: Vec<i64> = young.iter().flat_map(Seal::gaps).collect();
    gaps.retain(|id| !known.contains(id));
    gaps.truncate(usize::try_from(BLOCK).unwrap_or(usize::MAX));
    if gaps.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Model> = Sql::new(conn, "SELECT * FROM audit_entries WHERE id")
        .one_of(&gaps)
        .then(" ORDER BY id")
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(AuditRow::from).collect())
}

/// The block of these entries; `None` when there are none.
fn block(
    before: Option<&Seal>,
    is_late: bool,
    rows: &[AuditRow],
    now: DateTime<Utc>,
) -> Option<Seal> {
    let (first, last) = (rows.first()?, rows.last()?);
    let mut digests = Vec::with_capacity(rows.len() * (8 + KEPT));
    for row in rows {
        digests.extend_from_slice(&row.id.to_be_bytes());
        digests.extend_from_slice(&digest(row)[..KEPT]);
    }
    let number = before.map_or(1, |before| before.number + 1);
    let chain = chain(
        before.map(|before| before.chain.as_slice()),
        number,
        is_late,
        &digests,
    );
    Some(Seal {
        number,
        is_late,
        first_id: first.id,
        last_id: last.id,
        first_at: rows.iter().map(|row| row.at).min()?,
        last_at: rows.iter().map(|row| row.at).max()?,
        digests,
        chain: chain.to_vec(),
        sealed_at: now,
    })
}

/// What binds a block to the one before.
pub(super) fn chain(before: Option<&[u8]>, number: i64, is_late: bool, digests: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(before.unwrap_or(&[0; 32]))
        .chain_update(number.to_be_bytes())
        .chain_update([u8::from(is_late)])
        .chain_update(digests)
        .finalize()
        .into()
}

/// The digest of an entry: each field with its length before it, so that no two entries look alike.
pub(super) fn digest(row: &AuditRow) -> [u8; 32] {
    let at = row.at.timestamp_micros().to_be_bytes();
    let detail = row.detail.to_string();
    let texts = [
        Some(row.actor.as_str()),
        Some(row.action.as_str()),
        Some(row.subject_kind.as_str()),
        Some(row.subject_id.as_str()),
        row.from.as_deref(),
        row.to.as_deref(),
        row.reason.as_deref(),
        Some(detail.as_str()),
    ];
    let mut hash = Sha256::new()
        .chain_update(row.id.to_be_bytes())
        .chain_update(at);
    for text in texts {
        let length = text.map_or(-1, |text| i64::try_from(text.len()).unwrap_or(i64::MAX));
        hash = hash
            .chain_update(length.to_be_bytes())
            .chain_update(text.unwrap_or_default());
    }
    hash.finalize().into()
}

async fn insert(conn: &impl ConnectionTrait, seal: &Seal) -> Result<(), StoreError> {
    let values: Vec<sea_orm::Value> = vec![
        seal.number.into(),
        seal.is_late.into(),
        seal.first_id.into(),
        seal.last_id.into(),
        seal.first_at.into(),
        seal.last_at.into(),
        seal.digests.clone().into(),
        seal.chain.clone().into(),
    ];
    let mut insert = Sql::new(
        conn,
        "INSERT INTO audit_seals (number, is_late, first_id, last_id, first_at, last_at, digests, chain, sealed_at) VALUES (",
    );
    for value in values {
        insert = insert.bind(value).then(", ");
    }
    insert.bind(seal.sealed_at).then(")").run(conn).await?;
    Ok(())
}
