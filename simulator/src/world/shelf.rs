//! The rows of one class, with indexes on the columns that are looked up by value most.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::row::Row;

/// Columns with an index. A column that a class does not have costs nothing.
const INDEXED: &[&str] = &[
    "user_name",
    "user",
    "group",
    "role",
    "number",
    "correlation_id",
    "request",
    "request_item",
    "documentkey",
    "table_sys_id",
    "abort_action",
    "client_id",
    "parent",
];

/// Rows by sys_id, and sys_ids by the lower-case value of each indexed column.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    rows: BTreeMap<String, Row>,
    indexes: HashMap<&'static str, HashMap<String, BTreeSet<String>>>,
}

impl Shelf {
    pub(crate) fn get(&self, sys_id: &str) -> Option<&Row> {
        self.rows.get(sys_id)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub(crate) fn put(&mut self, row: Row) {
        let sys_id = row.fields.sys_id().to_owned();
        self.take(&sys_id);
        for column in INDEXED {
            let value = row.fields.get(column);
            if !value.is_empty() {
                let index = self.indexes.entry(column).or_default();
                index
                    .entry(value.to_lowercase())
                    .or_default()
                    .insert(sys_id.clone());
            }
        }
        self.rows.insert(sys_id, row);
    }

    pub(crate) fn take(&mut self, sys_id: &str) -> Option<Row> {
        let row = self.rows.remove(sys_id)?;
        for (column, index) in &mut self.indexes {
            let key = row.fields.get(column).to_lowercase();
            if let Some(ids) = index.get_mut(&key) {
                ids.remove(sys_id);
                if ids.is_empty() {
                    index.remove(&key);
                }
            }
        }
        Some(row)
    }

    /// Whether [`Shelf::candidates`] is quicker than looking at every row.
    pub(crate) fn is_indexed(column: &str) -> bool {
        column == "sys_id" || INDEXED.contains(&column)
    }

    /// Rows that may hold `value` in an indexed column: equal but for upper and lower case.
    pub(crate) fn candidates<'a>(&'a self, column: &str, value: &str) -> Vec<&'a Row> {
        if column == "sys_id" {
            return self.rows.get(value).into_iter().collect();
        }
        let ids = self
            .indexes
            .get(column)
            .and_then(|index| index.get(&value.to_lowercase()));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id))
            .collect()
    }

    /// The first row that holds exactly `value` in `column`.
    pub(crate) fn first(&self, column: &str, value: &str) -> Option<&Row> {
        let holds = |row: &&Row| row.fields.get(column) == value;
        if Self::is_indexed(column) && !value.is_empty() {
            return self.candidates(column, value).into_iter().find(holds);
        }
        self.rows.values().find(holds)
    }

    /// Rows that hold exactly `value` in `column`.
    pub(crate) fn exactly<'a>(
        &'a self,
        column: &'a str,
        value: &'a str,
    ) -> Box<dyn Iterator<Item = &'a Row> + 'a> {
        let holds = move |row: &&Row| row.fields.get(column) == value;
        if Self::is_indexed(column) && !value.is_empty() {
            Box::new(self.candidates(column, value).into_iter().filter(holds))
        } else {
            Box::new(self.rows.values().filter(holds))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::Fields;

    fn row(id: &str, number: &str) -> Row {
        let fields: Fields = [("sys_id", id), ("number", number)].into_iter().collect();
        Row {
            class: "task".to_owned(),
            fields,
            pending: None,
        }
    }

    proptest! {
        /// Whatever is put and taken, the index and a look at every row agree.
        #[test]
        fn the_index_is_never_wrong(steps in prop::collection::vec((0_u8..6, prop::option::of("[aAb]{0,2}")), 0..40), wanted in "[aAb]{0,2}") {
            let mut shelf = Shelf::default();
            for (id, number) in steps {
                let id = id.to_string();
                match number {
                    Some(number) => shelf.put(row(&id, &number)),
                    None => drop(shelf.take(&id)),
                }
            }
            let found: Vec<&str> = shelf.exactly("number", &wanted).map(|row| row.fields.sys_id()).collect();
            let expected: Vec<&str> = shelf.rows().filter(|row| row.fields.get("number") == wanted).map(|row| row.fields.sys_id()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
