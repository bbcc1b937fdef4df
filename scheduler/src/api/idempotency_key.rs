use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use super::problem_kind::Kind;

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 200;

/// The `Idempotency-Key` of a call, and what the call was: a key belongs to one operation with one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    pub(crate) key: String,
    pub(crate) fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// Reads the header of a call of `operation` (with the request it is about) with this `body`.
    pub(crate) fn read(
        headers: &HeaderMap,
        operation: &str,
        body: &serde_json::Value,
    ) -> Result<Option<Self>, Problem> {
        let mut all = headers.get_all(HEADER).iter();
        let Some(value) = all.next() else {
            return Ok(None);
        };
        let key = value.to_str().map(str::trim).unwrap_or_default();
        let fits =
            (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits || all.next().is_some() {
            let detail = format!(
                "The Idempotency-Key header must be given once, with 1 to {LONGEST} visible ASCII characters; a UUID is \
                 a good key."
            );
            return Err(Problem::new(Kind::BadHeader, detail));
        }
        // `Value` writes the fields of an object in one order, so white space and the order of fields do not matter.
        let fingerprint = Sha256::digest(format!("{operation}\n{body}"));
        Ok(Some(Self {
            key: key.to_owned(),
            fingerprint: fingerprint.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn read(value: &'static str, body: &str) -> Result<Option<IdempotencyKey>, Problem> {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static(value));
        IdempotencyKey::read(&headers, "create", &serde_json::from_str(body).unwrap())
    }

    #[test]
    fn the_same_body_has_the_same_fingerprint_however_it_is_written() {
        let one = read("k-1", r#"{"a":1,"b":{"c":2,"d":3}}"#)
            .unwrap()
            .unwrap();
        assert_eq!(
            read(" k-1 ", r#"{ "b": {"d":3,"c":2}, "a":1 }"#)
                .unwrap()
                .unwrap(),
            one
        );
        assert_ne!(
            read("k-1", r#"{"a":2}"#).unwrap().unwrap().fingerprint,
            one.fingerprint
        );
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("k-1"));
        let body = json!({"a": 1, "b": {"c": 2, "d": 3}});
        let other = IdempotencyKey::read(&headers, "cancel", &body)
            .unwrap()
            .unwrap();
        assert_ne!(other.fingerprint, one.fingerprint);
    }

    #[test]
    fn no_key_is_fine_and_an_odd_one_is_refused() {
        assert_eq!(
            IdempotencyKey::read(&HeaderMap::new(), "create", &json!({})),
            Ok(None)
        );
        for odd in ["", "  ", "two words"] {
            assert_eq!(read(odd, "{}").unwrap_err().kind, Kind::BadHeader);
        }
        let long: &'static str = "k".repeat(201).leak();
        assert_eq!(read(long, "{}").unwrap_err().kind, Kind::BadHeader);
    }
}
