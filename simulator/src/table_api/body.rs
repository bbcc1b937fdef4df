//! Bodies of writes: a flat JSON object; of an array the first element counts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::refusal::Refusal;

/// The values of a body by column, all as text. An empty body is an empty object.
///
/// # Errors
/// 400 (E11) for what is no JSON object.
pub(crate) fn read(body: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(BTreeMap::new());
    }
    let bad = || Refusal::BadBody("The payload is not valid JSON.".to_owned());
    let document: Value = serde_json::from_slice(body).map_err(|_| bad())?;
    let first = match document {
        Value::Array(records) => records.into_iter().next().unwrap_or(Value::Null),
        Value::Object(mut map)
            if map.len() == 1 && map.get("records").is_some_and(Value::is_array) =>
        {
            map.remove("records")
                .and_then(|records| records.as_array()?.first().cloned())
                .unwrap_or(Value::Null)
        }
        other => other,
    };
    let Value::Object(map) = first else {
        return Err(bad());
    };
    Ok(map
        .into_iter()
        .filter_map(|(name, value)| Some((name, text(&value)?)))
        .collect())
}

/// A value as its text; of `{"value":…,"display_value":…}` the value. Lists are not storable.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(map) => map
            .get("value")
            .or_else(|| map.get("display_value"))
            .and_then(text),
        Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_become_text_and_the_first_record_counts() {
        let read =
            |body: &str| read(body.as_bytes()).map(|map| map.into_iter().collect::<Vec<_>>());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(r#"{"a":1,"b":true,"c":null}"#).unwrap(),
            [pair("a", "1"), pair("b", "true"), pair("c", "")]
        );
        assert_eq!(read(r#"[{"a":"x"},{"a":"y"}]"#).unwrap(), [pair("a", "x")]);
        assert_eq!(
            read(r#"{"records":[{"a":"x"}]}"#).unwrap(),
            [pair("a", "x")]
        );
        assert_eq!(
            read(r#"{"a":{"value":"v","display_value":"d"}}"#).unwrap(),
            [pair("a", "v")]
        );
        assert_eq!(read("").unwrap(), []);
        assert!(read("{'a':1}").is_err());
        assert!(read("3").is_err());
    }
}
