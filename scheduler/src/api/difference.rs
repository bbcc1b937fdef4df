use serde_json::{Map, Value};
use shared::request::Asked;

use super::fields::escaped;
use super::problem::Difference;

/// The fields in which `sent` differs from what was `stored` before; attributes one by one.
pub(crate) fn differences(stored: &Asked, sent: &Asked) -> Vec<Difference> {
    let (stored, sent) = (object(stored), object(sent));
    let mut found = Vec::new();
    compare("", &stored, &sent, &mut found);
    found
}

fn object(asked: &Asked) -> Map<String, Value> {
    match serde_json::to_value(asked) {
        Ok(Value::Object(object)) => object,
        // A struct of texts, numbers and times always has the form of an object.
        other => unreachable!("a request is a JSON object: {other:?}"),
    }
}

fn compare(
    at: &str,
    stored: &Map<String, Value>,
    sent: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let added = sent.keys().filter(|name| !stored.contains_key(*name));
    for name in stored.keys().chain(added) {
        let side = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
        let (before, now) = (side(stored), side(sent));
        let field = format!("{at}/{}", escaped(name));
        match (&before, &now) {
            _ if same(&before, &now) => {}
            (Value::Object(before), Value::Object(now)) if field == "/attributes" => {
                compare("/attributes", before, now, found);
            }
            _ => found.push(Difference {
                field,
                stored: before,
                sent: now,
            }),
        }
    }
}

/// Equality of JSON, but numbers compare by value: PostgreSQL gives `1e16` back as `10000000000000000`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::new_request::NewRequest;
    use super::*;

    fn asked(extra: &Value) -> Asked {
        let mut body = json!({
            "external_id": "R1", "category": "c", "item": "i", "requester": "a", "requested_for": "b",
            "attributes": {"role": "clerk", "list": [1, 2]},
        });
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        NewRequest::read(&body, "").unwrap().into_asked()
    }

    #[test]
    fn the_same_request_does_not_differ_however_it_is_written() {
        let plain = asked(&json!({}));
        let other = asked(
            &json!({"priority": 3, "attributes": {"list": [1, 2], "role": "clerk"}, "justification": null}),
        );
        assert_eq!(differences(&plain, &other), []);
    }

    #[test]
    fn a_number_is_the_same_however_a_database_writes_it() {
        let sent = asked(&json!({"attributes": {"list": [1e16, {"n": 2.0}]}}));
        let stored =
            asked(&json!({"attributes": {"list": [10_000_000_000_000_000_u64, {"n": 2}]}}));
        assert_eq!(differences(&stored, &sent), []);
        assert_ne!(
            differences(
                &stored,
                &asked(&json!({"attributes": {"list": [1e16, {"n": 2.5}]}}))
            ),
            []
        );
    }

    #[test]
    fn each_field_that_differs_is_named_with_both_values() {
        let stored = asked(&json!({"justification": "for March"}));
        let sent = asked(
            &json!({"item": "other", "priority": 1, "attributes": {"role": "admin", "new": true, "list": [1]}}),
        );
        insta::assert_json_snapshot!(differences(&stored, &sent));
    }
}
