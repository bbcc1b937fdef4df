//! What is known of a call that failed.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::meta::{CallMeta, RateInfo};
use crate::redact::{Redactor, clean};

/// A failed call as it may be shown and stored: no secrets, no query values, texts of bounded length.
#[derive(Debug, Clone)]
pub struct Failure {
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// `None` when no answer came.
    pub status: Option<u16>,
    /// `X-Transaction-ID`: ServiceNow support asks for it.
    pub transaction_id: Option<String>,
    /// The server's short text, or ours when there is none. At most 300 characters.
    pub message: String,
    /// The server's long text. At most 300 characters.
    pub detail: Option<String>,
    /// When the server, or the memory of a failed token call, says to come back.
    pub retry_after: Option<Duration>,
    pub duration: Duration,
    pub server_date: Option<DateTime<Utc>>,
    pub rate: RateInfo,
    /// Whether the call was one that could change something on the instance.
    pub(crate) could_write: bool,
    pub(crate) source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// A failure without an answer.
    pub(crate) fn unanswered(method: &str, path: &str, message: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            status: None,
            transaction_id: None,
            message: clean(message),
            detail: None,
            retry_after: None,
            duration: Duration::ZERO,
            server_date: None,
            rate: RateInfo::default(),
            could_write: false,
            source: None,
        }
    }

    /// A read that was answered, with an answer that must not be believed.
    pub(crate) fn answered(meta: &CallMeta) -> Self {
        Self {
            status: Some(meta.status),
            transaction_id: meta.transaction_id.clone(),
            duration: meta.duration,
            server_date: meta.server_date,
            rate: meta.rate.clone(),
            ..Self::unanswered(&meta.method, &meta.path, "")
        }
    }

    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        self.message = redactor.apply(&self.message);
        self.detail = self.detail.as_deref().map(|text| redactor.apply(text));
    }
}

impl std::fmt::Display for Failure {
    /// One line: the call, the status, the server's words, the transaction id.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)?;
        if let Some(status) = self.status {
            write!(formatter, " answered {status}")?;
        }
        if !self.message.is_empty() {
            write!(formatter, ": {}", self.message)?;
        }
        if let Some(detail) = &self.detail {
            write!(formatter, " ({detail})")?;
        }
        if let Some(id) = &self.transaction_id {
            write!(formatter, " [transaction {id}]")?;
        }
        Ok(())
    }
}
