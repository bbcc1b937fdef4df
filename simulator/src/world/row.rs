//! One row: its class, its values as text, and what readers see until it becomes visible.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Column name → value, all text as on the wire. An absent column is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(crate) fn get(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// Stores a value; an empty one removes the column.
    pub(crate) fn set(&mut self, column: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(column);
        } else {
            self.0.insert(column.to_owned(), value);
        }
    }

    pub(crate) fn number(&self, column: &str) -> i64 {
        self.get(column).parse().unwrap_or_default()
    }

    pub(crate) fn is_true(&self, column: &str) -> bool {
        self.get(column) == "true"
    }

    pub(crate) fn sys_id(&self) -> &str {
        self.get("sys_id")
    }

    /// The row's class, or `table` when its table has no classes.
    pub(crate) fn class_or<'a>(&'a self, table: &'a str) -> &'a str {
        self.0.get("sys_class_name").map_or(table, String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(column, value)| (column.as_str(), value.as_str()))
    }

    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut fields = Self::default();
        for (column, value) in pairs {
            fields.set(&column.into(), value);
        }
        fields
    }
}

/// A stored row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) class: String,
    pub(crate) fields: Fields,
    /// Set while the last write is not visible to readers yet.
    pub(crate) pending: Option<Pending>,
}

/// What readers see until `visible_at`: the row as it was, or nothing when it is new.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) visible_at: DateTime<Utc>,
    pub(crate) before: Option<Fields>,
}

impl Row {
    pub(crate) fn seen_at(&self, now: DateTime<Utc>) -> Option<&Fields> {
        match &self.pending {
            Some(pending) if now < pending.visible_at => pending.before.as_ref(),
            _ => Some(&self.fields),
        }
    }
}
