//! What a source sends to ask for access: its form, and the checks that need nothing but the body.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use shared::request::Asked;
use url::Url;
use utoipa::ToSchema;

use super::fields::{Fields, Text, escaped, kind_of, unfit};
use super::problem::FieldError;

const LONGEST_NAME: usize = 100;
const LONGEST_ITEM: usize = 200;
const LONGEST_JUSTIFICATION: usize = 4000;
const LONGEST_URL: usize = 2000;
const MOST_ATTRIBUTES: usize = 50;
const LARGEST_ATTRIBUTES: usize = 16 * 1024;
const USUAL_PRIORITY: u8 = 3;

/// An access request as a source sends it. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "external_id": "REQ-2030-0001",
    "category": "application-access",
    "item": "SAP role Z_FI_CLERK",
    "requester": "sam.sample",
    "requested_for": "joon.park",
    "justification": "Covers accounts payable in March.",
    "priority": 3,
    "valid_until": "2030-03-31T22:00:00Z",
    "attributes": {"role": "Z_FI_CLERK", "system": "P01"}
}))]
pub(crate) struct NewRequest {
    /// Name of the source; may be left out, because the token says it. Another source's name is refused.
    #[schema(max_length = 100)]
    pub(crate) source: Option<String>,
    /// The source's own id of the request. With the source it is the natural key: sent again with the same body it gives
    /// the same answer, with another body it is refused.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) external_id: String,
    /// Service category; it chooses the route, and so the kind of ticket.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) category: String,
    /// What is asked for.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) item: String,
    /// Who asks, as the identity system names people.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) requester: String,
    /// For whom it is.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) requested_for: String,
    /// Why; shown to whoever works on the ticket. The only text that may have several lines.
    #[schema(max_length = 4000)]
    pub(crate) justification: Option<String>,
    /// 1 (highest) to 5; 3 when left out.
    #[schema(minimum = 1, maximum = 5, default = 3)]
    pub(crate) priority: Option<u8>,
    /// From when on it shall hold.
    pub(crate) valid_from: Option<DateTime<Utc>>,
    /// Until when it shall hold: in the future, and after `valid_from`.
    pub(crate) valid_until: Option<DateTime<Utc>>,
    /// Whatever else the ticket templates need: at most 50 keys and 16 KiB of JSON.
    #[schema(required = false)]
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Where to send signed callbacks for this request instead of the source's own address. `https`, and a host that the
    /// source's `callback_hosts` names.
    #[schema(max_length = 2000, format = "uri")]
    pub(crate) callback_url: Option<String>,
}

impl NewRequest {
    /// Reads a body found at the JSON pointer `at`; every problem is reported.
    pub(crate) fn read(body: &Value, at: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, at).map_err(|error| vec![error])?;
        let read = Self {
            source: fields.text("source", LONGEST_NAME, Text::Line),
            external_id: fields.needed_text("external_id", LONGEST_NAME, Text::Line),
            category: fields.needed_text("category", LONGEST_NAME, Text::Line),
            item: fields.needed_text("item", LONGEST_ITEM, Text::Line),
            requester: fields.needed_text("requester", LONGEST_NAME, Text::Line),
            requested_for: fields.needed_text("requested_for", LONGEST_NAME, Text::Line),
            justification: fields.text("justification", LONGEST_JUSTIFICATION, Text::Lines),
            priority: fields
                .integer("priority", 1..=5)
                .and_then(|it| u8::try_from(it).ok()),
            valid_from: fields.time("valid_from"),
            valid_until: fields.time("valid_until"),
            attributes: attributes(&mut fields),
            callback_url: callback_url(&mut fields),
        };
        if let (Some(from), Some(until)) = (read.valid_from, read.valid_until)
            && until <= from
        {
            fields.problem(
                "valid_until",
                "is not after valid_from",
                "send a time after valid_from",
            );
        }
        match fields.finish() {
            errors if errors.is_empty() => Ok(read),
            errors => Err(errors),
        }
    }

    /// The request as it is stored and compared.
    pub(crate) fn into_asked(self) -> Asked {
        Asked {
            external_id: self.external_id,
            category: self.category,
            item: self.item,
            requester: self.requester,
            requested_for: self.requested_for,
            justification: self.justification,
            priority: self.priority.unwrap_or(USUAL_PRIORITY),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            attributes: self.attributes,
            callback_url: self.callback_url,
        }
    }
}

fn attributes(fields: &mut Fields<'_>) -> BTreeMap<String, Value> {
    let Some(value) = fields.value("attributes") else {
        return BTreeMap::new();
    };
    let Some(object) = value.as_object() else {
        let problem = format!("is {}; an object is needed", kind_of(value));
        fields.problem(
            "attributes",
            problem,
            "send a JSON object: {\"name\": value, …}",
        );
        return BTreeMap::new();
    };
    check_size(fields, object, value.to_string().len());
    check_texts(fields, "attributes", value);
    object.clone().into_iter().collect()
}

fn check_size(fields: &mut Fields<'_>, object: &Map<String, Value>, bytes: usize) {
    if object.len() > MOST_ATTRIBUTES {
        let problem = format!(
            "has {} keys; at most {MOST_ATTRIBUTES} are taken",
            object.len()
        );
        fields.problem(
            "attributes",
            problem,
            "send only what the ticket templates use",
        );
    }
    if bytes > LARGEST_ATTRIBUTES {
        let problem = format!("has {bytes} bytes of JSON; at most {LARGEST_ATTRIBUTES} are taken");
        fields.problem(
            "attributes",
            problem,
            "send only what the ticket templates use",
        );
    }
}

/// Attributes end up in tickets: their texts keep the same rule as the justification, except that they may be empty.
fn check_texts(fields: &mut Fields<'_>, at: &str, value: &Value) {
    match value {
        Value::String(text) if !text.trim().is_empty() => {
            if let Some((problem, fix)) = unfit(text, LARGEST_ATTRIBUTES, Text::Lines) {
                fields.problem(at, problem, fix);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_texts(fields, &format!("{at}/{index}"), item);
            }
        }
        Value::Object(object) => {
            for (name, item) in object {
                let at = format!("{at}/{}", escaped(name));
                if let Some((problem, fix)) = unfit(name, LONGEST_NAME, Text::Line) {
                    fields.problem(&at, format!("its name {problem}"), fix);
                }
                check_texts(fields, &at, item);
            }
        }
        _ => {}
    }
}

fn callback_url(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("callback_url", LONGEST_URL, Text::Line)?;
    let fix = "send an absolute address, such as https://idm.example.com/hooks/tickets";
    match Url::parse(&text) {
        Err(error) => fields.problem("callback_url", format!("is no address: {error}"), fix),
        Ok(url) if !matches!(url.scheme(), "https" | "http") => {
            fields.problem(
                "callback_url",
                format!("has the scheme `{}`", url.scheme()),
                fix,
            );
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => fields.problem(
            "callback_url",
            "holds a user name or password",
            "leave them out; callbacks are signed with the source's secret",
        ),
        Ok(_) => {}
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    use super::*;

    fn smallest() -> Value {
        json!({"external_id": "R1", "category": "c", "item": "i", "requester": "a", "requested_for": "b"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = smallest();
        body[name] = value;
        body
    }

    #[test]
    fn the_smallest_body_is_enough() {
        let asked = NewRequest::read(&smallest(), "").unwrap().into_asked();
        assert_eq!(asked.priority, 3);
        assert_eq!(asked.external_id, "R1");
    }

    #[test]
    fn every_field_at_its_bound_is_taken() {
        let body = json!({
            "source": "idm", "external_id": "é".repeat(100), "category": "c".repeat(100), "item": "i".repeat(200),
            "requester": "r".repeat(100), "requested_for": "f".repeat(100), "justification": "j\n".repeat(2000),
            "priority": 5, "valid_from": "2030-01-01T00:00:00Z", "valid_until": "2030-01-01T00:00:01Z",
            "attributes": (0..50).map(|n| (format!("k{n}"), n)).collect::<BTreeMap<_, _>>(),
            "callback_url": "https://idm.example.com/hook",
        });
        assert_eq!(NewRequest::read(&body, "").map(|_| ()), Ok(()));
    }

    #[test]
    fn every_bound_is_kept() {
        let bad = [
            json!([]),
            json!({}),
            with("external_id", json!("x".repeat(101))),
            with("category", json!("")),
            with("item", json!("i".repeat(201))),
            with("requester", json!("a\nb")),
            with("requested_for", json!(7)),
            with("justification", json!("bell \u{7}")),
            with("priority", json!(0)),
            with("priority", json!("3")),
            with("priority", json!(2.5)),
            with("valid_until", json!("next week")),
            with("attributes", json!(["role"])),
            with(
                "attributes",
                (0..51)
                    .map(|n| (format!("k{n}"), json!(n)))
                    .collect::<Map<_, _>>()
                    .into(),
            ),
            with("attributes", json!({"big": "x".repeat(LARGEST_ATTRIBUTES)})),
            with(
                "attributes",
                json!({"a/b": {"list": ["fine", "not\u{0}fine"]}}),
            ),
            with("attributes", json!({"": 1})),
            with("callback_url", json!("/hook")),
            with("callback_url", json!("ftp://idm.example.com")),
            with("callback_url", json!("https://user:secret@idm.example.com")),
            with("requestedFor", json!("b")),
            with("colour", json!("red")),
        ];
        let errors: Vec<_> = bad
            .iter()
            .map(|body| NewRequest::read(body, "").unwrap_err())
            .collect();
        insta::assert_json_snapshot!(errors);
    }

    #[test]
    fn validity_must_not_end_before_it_begins() {
        let mut body = with("valid_from", json!("2030-01-01T00:00:00Z"));
        body["valid_until"] = json!("2030-01-01T00:00:00Z");
        let errors = NewRequest::read(&body, "/items/3").unwrap_err();
        assert_eq!(errors[0].field, "/items/3/valid_until");
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let schema = serde_json::to_value(NewRequest::schema()).unwrap();
        let documented: Vec<_> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let everything: Map<String, Value> = documented
            .iter()
            .map(|name| (name.clone(), json!([])))
            .collect();
        let errors = NewRequest::read(&everything.into(), "").unwrap_err();
        let mut named: Vec<_> = errors
            .iter()
            .map(|error| error.field.trim_start_matches('/').to_owned())
            .collect();
        named.sort();
        named.dedup();
        assert_eq!(
            named, documented,
            "each field refuses an array by its own rule"
        );
        assert!(
            errors
                .iter()
                .all(|error| !error.problem.contains("not a field"))
        );
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
