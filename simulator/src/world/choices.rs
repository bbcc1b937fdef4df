//! Choice lists, kept in step with the rows of `sys_choice`.

use std::collections::BTreeMap;

use super::{Dictionary, Fields};

/// Choices by table and element, in their sequence.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    lists: BTreeMap<String, BTreeMap<String, Vec<Choice>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    sequence: i64,
}

impl Choices {
    /// Rebuilds the lists from the active rows of `sys_choice`.
    pub(crate) fn of_rows<'a>(rows: impl Iterator<Item = &'a Fields>) -> Self {
        let mut choices = Self::default();
        for row in rows.filter(|row| !row.is_true("inactive")) {
            let of_table = choices.lists.entry(row.get("name").to_owned()).or_default();
            let list = of_table.entry(row.get("element").to_owned()).or_default();
            list.push(Choice {
                value: row.get("value").to_owned(),
                label: row.get("label").to_owned(),
                sequence: row.number("sequence"),
            });
        }
        for list in choices.lists.values_mut().flat_map(BTreeMap::values_mut) {
            list.sort_by_key(|choice| choice.sequence);
        }
        choices
    }

    /// The list of a column: the child's own, else its nearest parent's (wire contract 3.9).
    pub(crate) fn list(&self, dictionary: &Dictionary, table: &str, element: &str) -> &[Choice] {
        let mut lineage = dictionary.lineage(table);
        let found = lineage.find_map(|table| self.lists.get(&table.name)?.get(element));
        found.map_or(&[], Vec::as_slice)
    }

    pub(crate) fn label(
        &self,
        dictionary: &Dictionary,
        table: &str,
        element: &str,
        value: &str,
    ) -> Option<&str> {
        let list = self.list(dictionary, table, element);
        list.iter()
            .find(|choice| choice.value == value)
            .map(|choice| choice.label.as_str())
    }

    /// The value behind a label, compared without case.
    pub(crate) fn by_label(
        &self,
        dictionary: &Dictionary,
        table: &str,
        element: &str,
        label: &str,
    ) -> Option<&str> {
        let list = self.list(dictionary, table, element);
        list.iter()
            .find(|choice| choice.label.eq_ignore_ascii_case(label))
            .map(|choice| choice.value.as_str())
    }

    /// Whether a value may be stored: it is on the list, or there is no list.
    pub(crate) fn admits(
        &self,
        dictionary: &Dictionary,
        table: &str,
        element: &str,
        value: &str,
    ) -> bool {
        let list = self.list(dictionary, table, element);
        list.is_empty() || value.is_empty() || list.iter().any(|choice| choice.value == value)
    }
}
