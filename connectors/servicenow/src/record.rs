//! A row of a table.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::field_value::FieldValue;

/// A row as it came: columns that the account may not read, or that do not exist, are simply absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Record {
    fields: BTreeMap<String, FieldValue>,
}

impl Record {
    /// The stored value. `None` when the column is absent, or null, or read with display values only.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.value.as_deref()
    }

    /// The display text, or the stored value where the row was read without display values.
    pub fn display(&self, field: &str) -> Option<&str> {
        let field = self.fields.get(field)?;
        field.display_value.as_deref().or(field.value.as_deref())
    }

    /// The whole field.
    pub fn field(&self, field: &str) -> Option<&FieldValue> {
        self.fields.get(field)
    }

    /// The id of the row. It is opaque and case-sensitive (wire contract 0.7).
    pub fn sys_id(&self) -> Option<&str> {
        self.get("sys_id").filter(|id| !id.is_empty())
    }

    /// All columns that came, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl FromIterator<(String, FieldValue)> for Record {
    fn from_iter<I: IntoIterator<Item = (String, FieldValue)>>(fields: I) -> Self {
        Self {
            fields: fields.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_by_value_and_by_label() {
        let record: Record = serde_json::from_str(
            r#"{"sys_id":{"display_value":"a1","value":"a1"},
                "state":{"display_value":"Closed","value":"7"},
                "caller_id.email":"ann@example.com","empty":"","nothing":null}"#,
        )
        .unwrap();
        assert_eq!(record.sys_id(), Some("a1"));
        assert_eq!(record.get("state"), Some("7"));
        assert_eq!(record.display("state"), Some("Closed"));
        assert_eq!(record.display("caller_id.email"), Some("ann@example.com"));
        assert_eq!(record.get("empty"), Some(""));
        assert_eq!(record.get("nothing"), None);
        assert!(record.field("nothing").is_some());
        assert_eq!(record.get("hidden"), None);
        assert_eq!(record.iter().count(), record.len());
    }

    #[test]
    fn an_empty_id_is_no_id() {
        let record: Record = serde_json::from_str(r#"{"sys_id":""}"#).unwrap();
        assert_eq!(record.sys_id(), None);
        assert!(!record.is_empty());
    }
}
