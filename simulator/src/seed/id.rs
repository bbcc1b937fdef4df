//! Stable sys_ids for stock rows.

use sha2::{Digest, Sha256};

/// The sys_id of the stock row that `name` stands for in `table`: the same in every simulator.
pub(crate) fn of(table: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{table}:{name}"));
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
