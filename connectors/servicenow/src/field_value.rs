//! One field in every shape the Table API writes it (wire contract 2.4).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A field as it came. Which parts are there depends on `sysparm_display_value` and
/// `sysparm_exclude_reference_link`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldValue {
    /// The stored value; `None` for JSON null and for a reference read with display values only. With
    /// `display_value=true` a plain field has its display text here, because the wire does not tell them apart.
    pub value: Option<String>,
    /// The label in the caller's language and zone. Never parse it.
    pub display_value: Option<String>,
    /// Kept for people. Its host may be foreign, so this crate never follows it.
    pub link: Option<String>,
}

impl FieldValue {
    /// A plain value.
    pub fn plain(value: impl Into<String>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// The stored value, or the display text when that is all there is.
    pub fn text(&self) -> &str {
        self.value
            .as_deref()
            .or(self.display_value.as_deref())
            .unwrap_or_default()
    }

    fn from_json(json: Value) -> Self {
        let Value::Object(mut parts) = json else {
            return Self {
                value: written(json),
                ..Self::default()
            };
        };
        let known = ["value", "display_value", "link"];
        if !known.iter().any(|key| parts.contains_key(*key)) {
            // No documented shape: kept as it is, so that nothing is lost in silence.
            return Self::plain(Value::Object(parts).to_string());
        }
        let mut take = |key| parts.remove(key).and_then(written);
        Self {
            value: take("value"),
            display_value: take("display_value"),
            link: take("link"),
        }
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_json)
    }
}

/// A JSON value as the Table API would have written it: text.
fn written(json: Value) -> Option<String> {
    match json {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> FieldValue {
        serde_json::from_str(json).unwrap()
    }

    fn parts(value: Option<&str>, display: Option<&str>, link: Option<&str>) -> FieldValue {
        FieldValue {
            value: value.map(str::to_owned),
            display_value: display.map(str::to_owned),
            link: link.map(str::to_owned),
        }
    }

    #[test]
    fn every_documented_shape_is_read() {
        let link = "https://acme.service-now.com/api/now/table/sys_user/62826b";
        for (json, expected) in [
            (r#""2""#.to_owned(), parts(Some("2"), None, None)),
            (r#""""#.to_owned(), parts(Some(""), None, None)),
            (
                format!(r#"{{"link":"{link}","value":"62826b"}}"#),
                parts(Some("62826b"), None, Some(link)),
            ),
            (
                format!(r#"{{"display_value":"Ann Example","link":"{link}"}}"#),
                parts(None, Some("Ann Example"), Some(link)),
            ),
            (
                r#"{"display_value":"In Progress","value":"2"}"#.to_owned(),
                parts(Some("2"), Some("In Progress"), None),
            ),
            (
                r#"{"display_value":null,"value":""}"#.to_owned(),
                parts(Some(""), None, None),
            ),
            (
                r#"{"display_value":"$5","currency_display_value":"USD 5","value":"5"}"#.to_owned(),
                parts(Some("5"), Some("$5"), None),
            ),
        ] {
            assert_eq!(read(&json), expected, "{json}");
        }
    }

    #[test]
    fn foreign_json_types_are_tolerated() {
        assert_eq!(read("3"), FieldValue::plain("3"));
        assert_eq!(read("1.5"), FieldValue::plain("1.5"));
        assert_eq!(read("true"), FieldValue::plain("true"));
        assert_eq!(read("null"), FieldValue::default());
        assert_eq!(read(r#"["a"]"#), FieldValue::plain(r#"["a"]"#));
        assert_eq!(read(r#"{"value":-5}"#), FieldValue::plain("-5"));
        assert_eq!(
            read(r#"{"name":"x"}"#),
            FieldValue::plain(r#"{"name":"x"}"#)
        );
    }

    #[test]
    fn text_prefers_the_stored_value() {
        assert_eq!(read(r#"{"display_value":"New","value":"1"}"#).text(), "1");
        assert_eq!(read(r#"{"display_value":"New"}"#).text(), "New");
        assert_eq!(FieldValue::default().text(), "");
    }
}
