//! Proves that the audit trail is as it was sealed, or names what is not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde::Serialize;

use super::AuditRow;
use super::seal::{Seal, chain, digest};
use crate::store::StoreError;
use crate::store::entities::audit_entries::Model;
use crate::store::sql::Sql;

/// Blocks that are read at a time.
const PAGE: i64 = 50;
/// Faults that are told one by one.
const TOLD: usize = 100;

/// Something that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Fault {
    /// An entry reads otherwise than when it was sealed.
    Altered {
        /// Its number.
        entry: i64,
    },
    /// An entry is gone that is too young to be removed because of its age.
    Removed {
        /// Its number.
        entry: i64,
    },
    /// An entry stands among sealed ones that was not there when they were sealed.
    Added {
        /// Its number.
        entry: i64,
    },
    /// A block does not follow from the one before: it, or one before it, was altered.
    Broken {
        /// Its number.
        block: i64,
    },
    /// Blocks are gone.
    MissingBlocks {
        /// The first number that is not there.
        from: i64,
        /// The last.
        to: i64,
    },
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Blocks that were looked at.
    pub blocks: u64,
    /// Entries that are as they were sealed.
    pub entries: u64,
    /// Sealed entries that were removed because of their age.
    pub expired: u64,
    /// Entries that are too young to be sealed.
    pub unsealed: u64,
    /// The chain of the newest block, as hex: kept elsewhere, it proves later that nobody has sealed everything anew.
    pub head: Option<String>,
    /// How many things are not as they were sealed.
    pub faults: u64,
    /// The first hundred of them.
    pub told: Vec<Fault>,
}

impl Proof {
    fn fault(&mut self, fault: Fault) {
        self.faults += 1;
        if self.told.len() < TOLD {
            self.told.push(fault);
        }
    }
}

/// Looks at every block and every entry. Entries older than `kept_from` may have been removed.
pub async fn verify(
    conn: &impl ConnectionTrait,
    kept_from: Option<DateTime<Utc>>,
) -> Result<Proof, StoreError> {
    let mut proof = Proof::default();
    let late = late_entries(conn).await?;
    let mut before: Option<Seal> = None;
    let mut sealed_up_to = 0;
    loop {
        let behind = before.as_ref().map_or(0, |seal| seal.number);
        let page: Vec<Seal> = Sql::new(conn, "SELECT * FROM audit_seals WHERE number > ")
            .bind(behind)
            .then(" ORDER BY number LIMIT ")
            .bind(PAGE)
            .all(conn)
            .await?;
        if page.is_empty() {
            break;
        }
        for seal in page {
            check_chain(before.as_ref(), &seal, &mut proof);
            let from = if seal.is_late {
                None
            } else {
                Some(sealed_up_to)
            };
            check_entries(conn, &seal, from, &late, kept_from, &mut proof).await?;
            if !seal.is_late {
                sealed_up_to = seal.last_id;
            }
            proof.blocks += 1;
            before = Some(seal);
        }
    }
    proof.head = before.map(|seal| hex(&seal.chain));
    proof.unsealed = count_behind(conn, sealed_up_to).await?;
    Ok(proof)
}

fn check_chain(before: Option<&Seal>, seal: &Seal, proof: &mut Proof) {
    let expected = before.map_or(1, |before| before.number + 1);
    if seal.number > expected {
        proof.fault(Fault::MissingBlocks {
            from: expected,
            to: seal.number - 1,
        });
    }
    let chain_before = before.map(|before| before.chain.as_slice());
    let follows = chain(chain_before, seal.number, seal.is_late, &seal.digests);
    if follows.as_slice() != seal.chain.as_slice() {
        proof.fault(Fault::Broken { block: seal.number });
    }
}

/// `from`: for a regular block, the last entry of the regular block before it.
async fn check_entries(
    conn: &impl ConnectionTrait,
    seal: &Seal,
    from: Option<i64>,
    late: &BTreeSet<i64>,
    kept_from: Option<DateTime<Utc>>,
    proof: &mut Proof,
) -> Result<(), StoreError> {
    let mut found = entries(conn, seal, from).await?;
    let may_be_gone = kept_from.is_some_and(|kept_from| seal.first_at < kept_from);
    for (id, sealed) in seal.entries() {
        match found.remove(&id) {
            Some(row) if digest(&row).starts_with(sealed) => proof.entries += 1,
            Some(_) => proof.fault(Fault::Altered { entry: id }),
            None if may_be_gone => proof.expired += 1,
            None => proof.fault(Fault::Removed { entry: id }),
        }
    }
    // What is left was not there when its neighbours were sealed, and in no late block either.
    for id in found
        .into_keys()
        .filter(|id| from.is_some() && !late.contains(id))
    {
        proof.fault(Fault::Added { entry: id });
    }
    Ok(())
}

async fn entries(
    conn: &impl ConnectionTrait,
    seal: &Seal,
    from: Option<i64>,
) -> Result<BTreeMap<i64, AuditRow>, StoreError> {
    let statement = Sql::new(conn, "SELECT * FROM audit_entries WHERE id");
    let statement = if let Some(from) = from {
        statement
            .then(" > ")
            .bind(from)
            .then(" AND id <= ")
            .bind(seal.last_id)
    } else {
        let ids: Vec<i64> = seal.entries().map(|(id, _)| id).collect();
        statement.one_of(&ids)
    };
    let rows: Vec<Model> = statement.all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, AuditRow::from(row)))
        .collect())
}

/// The entries of all late blocks; there are few.
async fn late_entries(conn: &impl ConnectionTrait) -> Result<BTreeSet<i64>, StoreError> {
    let late: Vec<Seal> = Sql::new(conn, "SELECT * FROM audit_seals WHERE is_late")
        .all(conn)
        .await?;
    let ids = late
        .iter()
        .flat_map(|seal| seal.entries().map(|(id, _)| id).collect::<Vec<_>>());
    Ok(ids.collect())
}

async fn count_behind(conn: &impl ConnectionTrait, id: i64) -> Result<u64, StoreError> {
    #[derive(sea_orm::FromQueryResult)]
    struct Counted {
        count: i64,
    }
    let counted: Option<Counted> = Sql::new(
        conn,
        "SELECT COUNT(*) AS count FROM audit_entries WHERE id > ",
    )
    .bind(id)
    .one(conn)
    .await?;
    Ok(counted.map_or(0, |row| row.count.unsigned_abs()))
}

/// Whether a block has this chain, given as hex.
pub async fn is_part(conn: &impl ConnectionTrait, head: &str) -> Result<bool, StoreError> {
    let Some(chain) = bytes(head) else {
        return Ok(false);
    };
    let found: Option<Seal> = Sql::new(conn, "SELECT * FROM audit_seals WHERE chain = ")
        .bind(chain)
        .one(conn)
        .await?;
    Ok(found.is_some())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.trim().as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len() == 64 {
        digits.chunks(2).map(pair).collect()
    } else {
        None
    }
}

/// As people compare it.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into memory does not fail.
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}
