//! Problems as RFC 9457 has them: every refusal names the field and what to do.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use shared::store::events::FeedCursor;
use utoipa::ToSchema;

use super::problem_kind::Kind;

/// Why a call was refused, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:ticketbridge:problem:validation",
    "title": "Fields of the body do not fit",
    "status": 422,
    "detail": "1 field does not fit; nothing was stored.",
    "errors": [{
        "field": "/priority",
        "problem": "is 9; the range is 1 to 5",
        "fix": "send a whole number from 1 (highest) to 5"
    }]
}))]
pub(crate) struct Problem {
    /// What kind of problem, as a URN: `urn:ticketbridge:problem:` and a word that never changes its meaning.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The kind in words, the same for every problem of the kind.
    pub(crate) title: &'static str,
    /// The HTTP status, repeated.
    #[schema(minimum = 400, maximum = 599)]
    pub(crate) status: u16,
    /// What happened here, and what to do about it.
    pub(crate) detail: String,
    /// Each field that does not fit, all of a body at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldError>,
    /// For a repeated call with another body: what differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) differences: Vec<Difference>,
    /// When events behind a cursor are no longer kept: the cursor behind the newest event of now. Read the requests, then go on here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "AAAAAAAAAAc")]
    pub(crate) next_cursor: Option<Box<str>>,
    // Boxed, because every refusal carries a problem by value.
    #[serde(skip)]
    headers: Box<HeaderMap>,
}

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer of the field in the body (`/attributes/role`), or the name of a query parameter.
    #[schema(example = "/priority")]
    pub(crate) field: String,
    /// What is wrong with it.
    #[schema(example = "is 9; the range is 1 to 5")]
    pub(crate) problem: String,
    /// What to do.
    #[schema(example = "send a whole number from 1 (highest) to 5")]
    pub(crate) fix: String,
}

/// A field in which a repeated call differs from the first one.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// JSON pointer of the field.
    #[schema(example = "/item")]
    pub(crate) field: String,
    /// Its value in the first call; null when it was not sent.
    #[schema(example = "SAP role Z_FI_CLERK")]
    pub(crate) stored: Value,
    /// Its value in this call; null when it was not sent.
    #[schema(example = "SAP role Z_FI_ADMIN")]
    pub(crate) sent: Value,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            differences: Vec::new(),
            next_cursor: None,
            headers: Box::default(),
        }
    }

    /// The problem of a reader of the feed that was away for too long.
    pub(crate) fn of_removed_events(newest: FeedCursor) -> Self {
        let detail = "Events behind this cursor were removed because of their age, so the feed cannot be read on without a gap. \
                      Read the requests with GET /v1/requests, then go on behind the `next_cursor` of this answer.";
        Self {
            next_cursor: Some(newest.to_string().into()),
            ..Self::new(Kind::EventsRemoved, detail)
        }
    }

    /// The problem of a body whose fields do not fit.
    pub(crate) fn of_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "1 field does not fit; nothing was stored.".to_owned(),
            many => format!("{many} fields do not fit; nothing was stored."),
        };
        Self::new(Kind::Validation, detail).with_errors(errors)
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    pub(crate) fn with_differences(mut self, differences: Vec<Difference>) -> Self {
        self.differences = differences;
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        self.kind.status()
    }
}

impl FieldError {
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.http_status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(*self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_like_rfc_9457() {
        let errors = vec![FieldError::new(
            "/priority",
            "is 9; the range is 1 to 5",
            "send 1 to 5",
        )];
        insta::assert_json_snapshot!(Problem::of_fields(errors));
        let differs = Problem::new(Kind::Conflict, "sent before with another body")
            .with_differences(vec![Difference {
                field: "/item".into(),
                stored: "A".into(),
                sent: Value::Null,
            }]);
        insta::assert_json_snapshot!(differs);
    }

    #[test]
    fn the_answer_carries_status_type_and_headers() {
        let response = Problem::new(Kind::DatabaseUnavailable, "gone")
            .with_header(axum::http::header::RETRY_AFTER, "5")
            .into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "5");
    }
}
