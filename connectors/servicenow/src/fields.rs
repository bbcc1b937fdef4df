//! What a write sends.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// An ordered map column → text, sent as one flat JSON object (wire contract 2.6). Setting a column again replaces
/// its value. An empty text clears the field on the instance.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields {
    entries: Vec<(String, String)>,
}

impl Fields {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn set(&mut self, field: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let (field, value) = (field.into(), value.into());
        match self.entries.iter_mut().find(|(name, _)| *name == field) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((field, value)),
        }
        self
    }

    /// [`Fields::set`] for building in one expression.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(field, value);
        self
    }

    pub fn get(&self, field: &str) -> Option<&str> {
        self.iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value)
    }

    pub fn remove(&mut self, field: &str) -> Option<String> {
        let index = self.entries.iter().position(|(name, _)| name == field)?;
        Some(self.entries.remove(index).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl std::fmt::Debug for Fields {
    /// Names only: values may be personal data.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in entries {
            fields.set(name, value);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_columns_are_set_once() {
        let mut fields = Fields::new().with("b", "1").with("a", "2");
        fields.set("b", "3");
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"b":"3","a":"2"}"#
        );
        assert_eq!(fields.get("a"), Some("2"));
        assert_eq!(fields.remove("b").as_deref(), Some("3"));
        assert_eq!(fields.remove("b"), None);
        assert_eq!(fields.len(), 1);
    }

    #[test]
    fn debug_shows_names_only() {
        let fields: Fields = [("short_description", "private")].into_iter().collect();
        assert_eq!(format!("{fields:?}"), r#"{"short_description"}"#);
    }
}
