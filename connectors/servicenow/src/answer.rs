//! An HTTP answer before it is judged.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};

use crate::call::{Call, Effect};
use crate::failure::Failure;
use crate::meta::{CallMeta, text};
use crate::redact::clean;

/// Status, headers and as much of the body as came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) meta: CallMeta,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The connection ended before the body did.
    pub(crate) is_cut: bool,
    pub(crate) table: Option<String>,
    pub(crate) could_write: bool,
    /// `Retry-After`, measured from the server's clock where it sent one.
    pub(crate) retry_after: Option<std::time::Duration>,
}

impl Answer {
    pub(crate) fn new(
        call: &Call,
        meta: CallMeta,
        headers: HeaderMap,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Self {
        let retry_after = crate::meta::retry_after(&headers, meta.server_date.unwrap_or(now));
        Self {
            meta,
            headers,
            body: Vec::new(),
            is_cut: false,
            table: call.table.clone(),
            could_write: call.effect == Effect::Write,
            retry_after,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.meta.status
    }

    pub(crate) fn has_json_type(&self) -> bool {
        self.content_type().is_some_and(|value| {
            let media = value.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case("application/json") || media.ends_with("+json")
        })
    }

    pub(crate) fn looks_like_html(&self) -> bool {
        let says_so = self
            .content_type()
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"));
        says_so || self.body.trim_ascii_start().starts_with(b"<")
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION)?.to_str().ok()
    }

    /// `X-MFA_TOKEN: invalid` (wire contract 10.2).
    pub(crate) fn asks_for_second_factor(&self) -> bool {
        text(&self.headers, "x-mfa_token").is_some()
    }

    /// A failure of this call with these words of the server.
    pub(crate) fn failure(&self, message: &str, detail: Option<&str>) -> Box<Failure> {
        Box::new(Failure {
            method: self.meta.method.clone(),
            path: self.meta.path.clone(),
            status: Some(self.meta.status),
            transaction_id: self.meta.transaction_id.clone(),
            message: clean(message),
            detail: detail.map(clean).filter(|text| !text.is_empty()),
            retry_after: self.retry_after,
            duration: self.meta.duration,
            server_date: self.meta.server_date,
            rate: self.meta.rate.clone(),
            could_write: self.could_write,
            source: None,
        })
    }

    fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }
}
