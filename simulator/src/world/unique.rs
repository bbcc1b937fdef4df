//! Unique columns.

use super::{Fields, World};

impl World {
    /// Whether another row of the hierarchy holds the same value in a unique column.
    pub(super) fn breaks_unique(&self, table: &str, fields: &Fields) -> bool {
        let columns = self.dictionary.columns(table);
        let mut unique = columns
            .values()
            .filter(|column| column.unique && !fields.get(&column.name).is_empty());
        unique.any(|column| {
            let mut rows = self.all_with(table, &column.name, fields.get(&column.name));
            rows.any(|row| row.sys_id() != fields.sys_id())
        })
    }
}
