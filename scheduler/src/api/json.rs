//! From the bytes of a body to JSON: its type, its size and its form are checked here, its fields elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request};
use futures::StreamExt as _;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::Problem;
use super::problem_kind::Kind;

/// Reads a JSON body of at most `limit` bytes.
pub(crate) async fn read_json(request: Request<Body>, limit: usize) -> Result<Value, Problem> {
    check_type(request.headers())?;
    if announced_length(request.headers()).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let arriving = request.extensions().get::<Arrival>().map(Arrival::begin);
    let mut bytes = Vec::new();
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| broken_off())?);
        if bytes.len() > limit {
            return Err(too_large(limit));
        }
    }
    drop(arriving);
    parse(&bytes)
}

/// Whether the body of a call is being waited for, for whoever limits the time of the call. Clones are about the same call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrival(Arc<AtomicBool>);

/// As long as this lives the body is being waited for.
struct Arriving(Arrival);

impl Arrival {
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self) -> Arriving {
        self.0.store(true, Ordering::Relaxed);
        Arriving(self.clone())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let found = headers
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let essence = found
        .as_deref()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    let what = found.map_or_else(
        || "The call has no Content-Type header".to_owned(),
        |found| format!("The Content-Type is `{}`", found.escape_debug()),
    );
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        format!("{what}. Send `Content-Type: application/json`."),
    ))
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn broken_off() -> Problem {
    Problem::new(
        Kind::MalformedBody,
        "The body broke off before its end. Send it again.",
    )
}

fn too_large(limit: usize) -> Problem {
    let detail = format!(
        "The body has more than {limit} bytes. Send less, or raise server.body_limit_bytes (one request) or \
         server.batch_limit_bytes (a batch) in the bridge's configuration."
    );
    Problem::new(Kind::BodyTooLarge, detail)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(
            Kind::MalformedBody,
            "The body is empty. Send a JSON object.",
        ));
    }
    serde_json::from_slice::<Unambiguous>(bytes)
        .map(|json| json.0)
        .map_err(|error| {
            let detail = format!("{error}. Correct the JSON at that place.");
            Problem::new(Kind::MalformedBody, detail)
        })
}

/// JSON without a field that is given twice: which of the two is meant nobody can tell, and readers differ.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_string<E>(self, it: String) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Unambiguous(value) = fields.next_value()?;
            if object.contains_key(&name) {
                return Err(de::Error::custom(format_args!(
                    "the field `{}` is given twice",
                    name.escape_debug()
                )));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(content_type: Option<&str>, body: &'static str) -> Result<Value, Problem> {
        let mut request = Request::builder();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        read_json(request.body(Body::from(body)).unwrap(), 40).await
    }

    #[tokio::test]
    async fn json_of_either_type_is_read() {
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/Scim+JSON",
        ] {
            let json = read(Some(content_type), r#"{"a":[1,-2,0.5,"x",null,true]}"#)
                .await
                .unwrap();
            assert_eq!(
                json,
                serde_json::json!({"a": [1, -2, 0.5, "x", null, true]})
            );
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_body_is_said() {
        let json = Some("application/json");
        let problems = [
            read(None, "{}").await.unwrap_err(),
            read(Some("text/plain"), "{}").await.unwrap_err(),
            read(json, " \n").await.unwrap_err(),
            read(json, "{\n  \"a\": 1,\n}").await.unwrap_err(),
            read(json, "{\"a\": 1, \"a\": 2}").await.unwrap_err(),
            read(json, "{\"a\": \"cut").await.unwrap_err(),
            read(json, "{} {}").await.unwrap_err(),
            read(json, r#"{"a": "more than forty bytes of JSON text"}"#)
                .await
                .unwrap_err(),
        ];
        insta::assert_json_snapshot!(problems);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Err(problem) = parse(&bytes) {
                prop_assert_eq!(problem.kind, Kind::MalformedBody);
            }
        }

        #[test]
        fn unique_fields_read_as_serde_json_reads_them(names in proptest::collection::btree_set("[a-z]{0,3}", 0..5)) {
            let text = serde_json::to_string(&names.iter().map(|name| (name, 1)).collect::<std::collections::BTreeMap<_, _>>()).unwrap();
            prop_assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
