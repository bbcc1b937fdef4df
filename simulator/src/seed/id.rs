//! Stable sys_ids for stock rows.

use sha2::{Digest, Sha256};

/// The sys_id of the stock row that `name` stands for in `table`: the same in every simulator.
pub(crate) fn of(table: &str, name: &str) -> String {
    format!("{:032x}", number(table, name))
}

fn number(table: &str, name: &str) -> u128 {
    let digest = Sha256::digest(format!("{table}:{name}"));
    let half = digest.iter().take(16);
    half.fold(0_u128, |id, byte| id << 8 | u128::from(*byte))
}
