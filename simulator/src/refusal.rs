//! Why the instance says no, and the byte-exact bodies it says it with (wire contract 16.3).

use serde_json::{Value, json};

use crate::http::answer::Answer;
use crate::knobs::AuthText;

/// Every way an API call is refused by the platform itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A1; `mfa` adds the header that says a second factor is missing.
    Unauthenticated {
        text: AuthText,
        mfa: bool,
    },
    /// A2
    NoRecord,
    /// A3
    InvalidTable(String),
    /// A4: `Insert`, `Update` or `Delete`.
    Acl(&'static str),
    /// A5: labels of the missing fields.
    DataPolicy(Vec<String>),
    /// A6
    RuleAbort {
        table: String,
        rule: String,
        rule_id: String,
    },
    /// E5: the database refused.
    InsertFailed {
        table: String,
        display: String,
    },
    /// A7
    QueryRights,
    /// A8
    ApiAcl,
    /// E6 without the detail of A8.
    NotAuthorized,
    /// A18
    NoSuchResource,
    /// E11
    BadBody(String),
    /// 400 with a message of its own.
    BadRequest {
        message: String,
        detail: String,
    },
    NotAcceptable,
    UnsupportedMediaType,
    MethodNotSupported,
    /// 404 of a list without rows in version 1.
    EmptyListV1(u16),
}

/// The text of E15 and A11.
pub(crate) const QUOTA_MESSAGE: &str = "Transaction cancelled: maximum execution time exceeded";

/// The error object of A11 and A12.
pub(crate) fn quota_error() -> Value {
    let detail = format!(
        "{QUOTA_MESSAGE} Check logs for error trace or enable glide.rest.debug property to verify REST request processing"
    );
    json!({"message": QUOTA_MESSAGE, "detail": detail})
}

impl Refusal {
    pub(crate) fn answer(&self) -> Answer {
        let (status, message, detail) = self.parts();
        let answer = Answer::error(status, &message, &detail);
        match self {
            Self::Unauthenticated { mfa, .. } => {
                let answer = answer.with("WWW-Authenticate", "Basic realm=\"Service-now\"");
                if *mfa {
                    answer.with("X-MFA_TOKEN", "invalid")
                } else {
                    answer
                }
            }
            _ => answer,
        }
    }

    /// The refusal in one line, as import rows remember it.
    pub(crate) fn text(&self) -> String {
        let (_, message, detail) = self.parts();
        match detail.as_str().filter(|detail| !detail.is_empty()) {
            Some(detail) => format!("{message}: {detail}"),
            None => message,
        }
    }

    fn parts(&self) -> (u16, String, Value) {
        let failed = |detail: String| (403, "Operation Failed".to_owned(), Value::String(detail));
        let plain =
            |status: u16, message: &str, detail: &str| (status, message.to_owned(), json!(detail));
        match self {
            Self::Unauthenticated {
                text: AuthText::Old,
                ..
            } => plain(401, "User Not Authenticated", REQUIRED),
            Self::Unauthenticated {
                text: AuthText::New,
                ..
            } => plain(401, "User is not authenticated", REQUIRED),
            Self::NoRecord => plain(
                404,
                "No Record found",
                "Record doesn't exist or ACL restricts the record retrieval",
            ),
            Self::InvalidTable(table) => (400, format!("Invalid table {table}"), Value::Null),
            Self::Acl(verb) => failed(format!(
                "ACL Exception {verb} Failed due to security constraints"
            )),
            Self::DataPolicy(labels) => {
                let labels = labels.join(", ");
                failed(format!(
                    "Data Policy Exception: The following fields are mandatory: {labels}"
                ))
            }
            Self::RuleAbort {
                table,
                rule,
                rule_id,
            } => failed(format!(
                "Operation against file '{table}' was aborted by Business Rule '{rule}^{rule_id}'. Business Rule Stack:{rule}"
            )),
            Self::InsertFailed { table, display } => {
                failed(format!("Error during insert of {table} ({display})"))
            }
            Self::QueryRights => plain(403, "Insufficient rights to query records", UNREADABLE),
            Self::ApiAcl => plain(
                403,
                "User Not Authorized",
                "Failed API level ACL Validation",
            ),
            Self::NotAuthorized => plain(403, "User Not Authorized", "User Not Authorized"),
            Self::NoSuchResource => (
                400,
                "Requested URI does not represent any resource".to_owned(),
                Value::Null,
            ),
            Self::BadBody(detail) => plain(400, "Exception while reading request", detail),
            Self::BadRequest { message, detail } => plain(400, message, detail),
            Self::NotAcceptable => plain(
                406,
                "Not acceptable",
                "The Accept header names no media type this resource has",
            ),
            Self::UnsupportedMediaType => plain(
                415,
                "Unsupported media type",
                "The Content-Type of the request is not supported",
            ),
            Self::MethodNotSupported => (405, "Method not supported".to_owned(), Value::Null),
            Self::EmptyListV1(status) => plain(
                *status,
                "No Record found",
                "Record doesn't exist or ACL restricts the record retrieval",
            ),
        }
    }
}

const REQUIRED: &str = "Required to provide Auth information";
const UNREADABLE: &str = "Field(s) present in the query do not have permission to be read";
