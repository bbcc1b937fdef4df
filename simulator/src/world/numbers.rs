//! `number`: prefix of the table and seven digits, assigned at insert (wire contract 3.7).

use super::{Fields, World};

/// Rows made by users start here; stock rows have smaller numbers.
const FIRST: u64 = 10_001;

impl World {
    /// Gives a new row its number unless it brought one.
    pub(super) fn number(&mut self, table: &str, fields: &mut Fields) {
        if self.dictionary.column(table, "number").is_none() || !fields.get("number").is_empty() {
            return;
        }
        if let Some(prefix) = self.dictionary.prefix(table).map(str::to_owned) {
            let number = self.next_number(&prefix);
            fields.set("number", number);
        }
    }

    /// The next number of a prefix, for example `INC0010001`.
    pub(crate) fn next_number(&mut self, prefix: &str) -> String {
        let next = self.numbers.entry(prefix.to_owned()).or_insert(FIRST);
        let number = format!("{prefix}{next:07}");
        *next += 1;
        number
    }
}
