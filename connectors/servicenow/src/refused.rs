//! The error body of the APIs, and why a 403 or 4xx was given (wire contract 2.8).
//!
//! Texts are translated and change between releases. They are looked at last: the status and the shape of the body
//! come first, the beginning of `detail` second.

use serde_json::Value;

use crate::kinds::{ForbiddenKind, InvalidKind};

/// `{"error":{"message":…,"detail":…},"status":"failure"}`, or the form of the token endpoint
/// `{"error":"…","error_description":"…"}`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
}

impl ApiError {
    /// `None` when the body is not an error body.
    pub(crate) fn from_body(body: &[u8]) -> Option<Self> {
        Self::from_json(&serde_json::from_slice(body).ok()?)
    }

    pub(crate) fn from_json(body: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match body.get("error")? {
            Value::Object(error) => Some(Self {
                message: error.get("message").and_then(text).unwrap_or_default(),
                detail: error.get("detail").and_then(text),
            }),
            Value::String(error) => Some(Self {
                message: error.clone(),
                detail: body.get("error_description").and_then(text),
            }),
            _ => None,
        }
    }

    fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or_default()
    }

    pub(crate) fn forbidden_kind(&self) -> ForbiddenKind {
        let detail = self.detail();
        let starts = |prefix: &str| detail.starts_with(prefix);
        if starts("ACL ") {
            ForbiddenKind::Acl
        } else if starts("Data Policy Exception") {
            ForbiddenKind::DataPolicy
        } else if starts("Operation against file") {
            ForbiddenKind::BusinessRule
        } else if starts("Field(s) present in the query")
            || self.message.starts_with("Insufficient rights to query")
        {
            ForbiddenKind::Query
        } else if starts("Failed API level ACL")
            || starts("User Not Authorized")
            || self.message == "User Not Authorized"
        {
            ForbiddenKind::Api
        } else {
            ForbiddenKind::Other
        }
    }

    /// For 400 and 404. `table` is the table that was asked for.
    pub(crate) fn invalid_kind(&self, table: Option<&str>) -> InvalidKind {
        if self.is_unknown_path() {
            return InvalidKind::Path;
        }
        if self.detail().starts_with("Rejected large REST payload")
            || self.message.starts_with("Request header is too large")
        {
            return InvalidKind::TooLong;
        }
        let names_table = table.is_some_and(|table| self.names(table));
        if names_table || self.message.starts_with("Invalid table") {
            InvalidKind::Table
        } else {
            InvalidKind::Request
        }
    }

    /// E10. Contradicting records give it with 400 and with 404, so that only the text is left.
    pub(crate) fn is_unknown_path(&self) -> bool {
        self.message.starts_with("Requested URI does not represent")
            || self.message.contains("/api/")
    }

    /// Whether the table is named as a word of its own, in whatever language.
    fn names(&self, table: &str) -> bool {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        [self.message.as_str(), self.detail()]
            .iter()
            .any(|text| text.split(|c| !is_part(c)).any(|word| word == table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, detail: &str) -> ApiError {
        ApiError {
            message: message.to_owned(),
            detail: Some(detail.to_owned()),
        }
    }

    #[test]
    fn both_error_bodies_are_read() {
        assert_eq!(
            ApiError::from_body(br#"{"error":{"message":"Invalid table x_foo","detail":null}}"#),
            Some(ApiError {
                message: "Invalid table x_foo".to_owned(),
                detail: None
            })
        );
        assert_eq!(
            ApiError::from_body(br#"{"error_description":"access_denied","error":"server_error"}"#),
            Some(error("server_error", "access_denied"))
        );
        assert_eq!(ApiError::from_body(b"{\"result\":{}}"), None);
        assert_eq!(ApiError::from_body(b"<html>"), None);
    }

    #[test]
    fn the_detail_decides_a_403_in_any_language() {
        for (message, detail, kind) in [
            (
                "Vorgang fehlgeschlagen",
                "ACL Exception Update Failed due to security constraints",
                ForbiddenKind::Acl,
            ),
            (
                "Operation Failed",
                "Data Policy Exception: The following fields are mandatory: Resolution code",
                ForbiddenKind::DataPolicy,
            ),
            (
                "Operation Failed",
                "Operation against file 'incident' was aborted by Business Rule 'Block^0'",
                ForbiddenKind::BusinessRule,
            ),
            (
                "Rechte fehlen",
                "Field(s) present in the query do not have permission to be read",
                ForbiddenKind::Query,
            ),
            (
                "User Not Authorized",
                "Failed API level ACL Validation",
                ForbiddenKind::Api,
            ),
            (
                "User Not Authorized",
                "User Not Authorized",
                ForbiddenKind::Api,
            ),
            (
                "Operation Failed",
                "Error during insert of incident (INC0010001)",
                ForbiddenKind::Other,
            ),
        ] {
            assert_eq!(error(message, detail).forbidden_kind(), kind, "{detail}");
        }
    }

    #[test]
    fn a_missing_table_is_told_from_a_missing_path() {
        let table = Some("x_foo");
        assert_eq!(
            error("Tabelle x_foo ist ungültig", "").invalid_kind(table),
            InvalidKind::Table
        );
        assert_eq!(
            error("Tabelle x_food ist ungültig", "").invalid_kind(table),
            InvalidKind::Request
        );
        assert_eq!(
            error("Requested URI does not represent any resource", "").invalid_kind(table),
            InvalidKind::Path
        );
        assert_eq!(
            error(
                "Exception while reading request",
                "Rejected large REST payload with content-length = 15105102 bytes."
            )
            .invalid_kind(table),
            InvalidKind::TooLong
        );
        assert_eq!(
            error(
                "Exception while reading request",
                "The payload is not valid JSON."
            )
            .invalid_kind(table),
            InvalidKind::Request
        );
    }
}
