//! An answer before it becomes an HTTP response; faults change it on the way out.

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

/// The content type of every real API answer (wire contract 1.3).
pub(crate) const JSON: &str = "application/json;charset=UTF-8";

/// Status, headers and body of one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Where each row of a `{"result":[…]}` body ends, for faults that cut between rows.
    pub(crate) rows: Vec<usize>,
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// `{"result": …}`
    pub(crate) fn result<T: Serialize>(status: u16, result: &T) -> Self {
        Self::json(status, &Enveloped { result })
    }

    /// `{"result":[…]}`, remembering where the rows end.
    pub(crate) fn list<T: Serialize>(rows: &[T]) -> Self {
        let mut body = b"{\"result\":[".to_vec();
        let mut ends = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend(serde_json::to_vec(row).unwrap_or_default());
            ends.push(body.len());
        }
        body.extend(b"]}");
        let answer = Self {
            status: 200,
            body: body.into(),
            rows: ends,
            ..Self::default()
        };
        answer.with("Content-Type", JSON)
    }

    /// Any JSON document.
    pub(crate) fn json<T: Serialize>(status: u16, document: &T) -> Self {
        let body = serde_json::to_vec(document).unwrap_or_default();
        let answer = Self {
            status,
            body: body.into(),
            ..Self::default()
        };
        answer.with("Content-Type", JSON)
    }

    /// `{"error":{…},"status":"failure"}`
    pub(crate) fn error(status: u16, message: &str, detail: &Value) -> Self {
        let error = json!({"message": message, "detail": detail});
        Self::json(status, &json!({"error": error, "status": "failure"}))
    }

    pub(crate) fn html(status: u16, page: &str) -> Self {
        let body = Bytes::copy_from_slice(page.as_bytes());
        let answer = Self {
            status,
            body,
            ..Self::default()
        };
        answer.with("Content-Type", "text/html;charset=UTF-8")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same answer without its body (`X-no-response-body`).
    pub(crate) fn bodiless(mut self) -> Self {
        self.body = Bytes::new();
        self.rows.clear();
        self.headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self
    }
}

#[derive(Serialize)]
struct Enveloped<'a, T> {
    result: &'a T,
}
