//! The one error type. The class is chosen where the answer is seen and says what may be done next.

use std::time::Duration;

use crate::config_error::ConfigError;
use crate::failure::Failure;
use crate::kinds::{
    AuthKind, ConnectKind, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind, MaybeKind,
    UntrustworthyReason,
};
use crate::query_error::QueryError;
use crate::redact::Redactor;

/// Everything that can go wrong with a call, by class (wire contract 15.2).
///
/// Retry belongs to the caller: the client sends each request once (and once more after a 401 with a fresh token).
#[derive(Debug, Clone)]
pub enum Error {
    /// The credentials were refused. Never executed.
    Auth {
        kind: AuthKind,
        failure: Box<Failure>,
    },
    /// 403. Permanent until somebody acts, except [`Error::is_one_retry_advised`].
    Forbidden {
        kind: ForbiddenKind,
        failure: Box<Failure>,
    },
    /// 404 "No Record found": missing, or hidden by an access rule.
    NotFound { failure: Box<Failure> },
    /// The request itself was refused. Permanent.
    Invalid {
        kind: InvalidKind,
        failure: Box<Failure>,
    },
    /// 429 of a rate-limit rule: obey `retry_after`.
    RateLimited {
        retry_after: Option<Duration>,
        failure: Box<Failure>,
    },
    /// The instance is full or away for a moment: semaphore 429, 502, 503, 504.
    Busy {
        retry_after: Option<Duration>,
        failure: Box<Failure>,
    },
    /// It is not known whether the call took effect.
    Maybe {
        kind: MaybeKind,
        failure: Box<Failure>,
    },
    /// A success status without a usable answer (wire contract 2.9).
    Garbage {
        kind: GarbageKind,
        failure: Box<Failure>,
    },
    /// No connection came about: certainly not sent.
    Connect {
        kind: ConnectKind,
        failure: Box<Failure>,
    },
    /// A list answer that must not be believed: never advance a cursor on it.
    Untrustworthy {
        reason: UntrustworthyReason,
        failure: Box<Failure>,
    },
    /// A value, name or id was refused before anything was sent.
    Query(QueryError),
    /// The client could not be built, or cannot build this request.
    Config(ConfigError),
}

impl Error {
    /// The class as a stable word, for storage and metrics.
    pub fn class_name(&self) -> &'static str {
        match self {
            Self::Auth { .. } => "auth",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Invalid { .. } => "invalid",
            Self::RateLimited { .. } => "rate_limited",
            Self::Busy { .. } => "busy",
            Self::Maybe { .. } => "maybe",
            Self::Garbage { .. } => "garbage",
            Self::Connect { .. } => "connect",
            Self::Untrustworthy { .. } => "untrustworthy",
            Self::Query(_) => "query",
            Self::Config(_) => "config",
        }
    }

    /// What is known of the call; `None` when nothing was sent for a local reason.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Auth { failure, .. }
            | Self::Forbidden { failure, .. }
            | Self::NotFound { failure }
            | Self::Invalid { failure, .. }
            | Self::RateLimited { failure, .. }
            | Self::Busy { failure, .. }
            | Self::Maybe { failure, .. }
            | Self::Garbage { failure, .. }
            | Self::Connect { failure, .. }
            | Self::Untrustworthy { failure, .. } => Some(failure),
            Self::Query(_) | Self::Config(_) => None,
        }
    }

    pub(crate) fn failure_mut(&mut self) -> Option<&mut Failure> {
        match self {
            Self::Auth { failure, .. }
            | Self::Forbidden { failure, .. }
            | Self::NotFound { failure }
            | Self::Invalid { failure, .. }
            | Self::RateLimited { failure, .. }
            | Self::Busy { failure, .. }
            | Self::Maybe { failure, .. }
            | Self::Garbage { failure, .. }
            | Self::Connect { failure, .. }
            | Self::Untrustworthy { failure, .. } => Some(failure),
            Self::Query(_) | Self::Config(_) => None,
        }
    }

    /// The HTTP status, when an answer came.
    pub fn status(&self) -> Option<u16> {
        self.failure()?.status
    }

    /// `X-Transaction-ID` of the answer.
    pub fn transaction_id(&self) -> Option<&str> {
        self.failure()?.transaction_id.as_deref()
    }

    /// How long the server (or the memory of a failed token call) asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.failure()?.retry_after
    }

    /// True when the call was one that writes and the record may be there all the same: read before sending again.
    pub fn may_have_committed(&self) -> bool {
        let in_doubt = match self {
            Self::Maybe { .. } => true,
            // A proxy gives up on a request that the instance behind it may still finish.
            Self::Busy { failure, .. } => failure.status.is_some_and(|status| status >= 500),
            Self::Garbage { kind, .. } => match kind {
                GarbageKind::Accepted202 => false,
                GarbageKind::Html(page) => *page == HtmlKind::Other,
                GarbageKind::Redirect
                | GarbageKind::Cut
                | GarbageKind::ErrorIn200
                | GarbageKind::WrongShape => true,
            },
            _ => false,
        };
        in_doubt && self.failure().is_some_and(|failure| failure.could_write)
    }

    /// True when this call certainly changed nothing on the instance. Reads never do.
    pub fn is_definitely_not_executed(&self) -> bool {
        !self.may_have_committed()
    }

    /// True for the 403 that a node without the session's roles is known to give once in a while (wire contract 1.4).
    pub fn is_one_retry_advised(&self) -> bool {
        matches!(
            self,
            Self::Forbidden {
                kind: ForbiddenKind::Api,
                ..
            }
        )
    }

    /// What to do about it, for people.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Auth { kind, .. } => auth_advice(*kind),
            Self::Forbidden { kind, .. } => forbidden_advice(*kind),
            Self::NotFound { .. } => {
                "The record is not there, or an access rule hides it from this account."
            }
            Self::Invalid { kind, .. } => invalid_advice(*kind),
            Self::RateLimited { .. } => {
                "A rate-limit rule of the instance is used up: wait until it resets, or ask for a higher limit."
            }
            Self::Busy { .. } => {
                "The instance is full, restarting or waking: try again later, with fewer calls at a time."
            }
            Self::Maybe { .. } => {
                "It is not known whether the call took effect: read the record before sending it again."
            }
            Self::Garbage { kind, .. } => garbage_advice(*kind),
            Self::Connect { kind, .. } => connect_advice(*kind),
            Self::Untrustworthy { .. } => {
                "Check the column names of the query and the account's query and read access to them."
            }
            Self::Query(_) | Self::Config(_) => "Nothing was sent: correct the value.",
        }
    }

    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        if let Self::RateLimited { retry_after, .. } | Self::Busy { retry_after, .. } = &mut self {
            *retry_after = Some(wait);
        }
        if let Some(failure) = self.failure_mut() {
            failure.retry_after = Some(wait);
        }
        self
    }

    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        if let Some(failure) = self.failure_mut() {
            failure.redact(redactor);
        }
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Query(error) => return write!(formatter, "{error}"),
            Self::Config(error) => return write!(formatter, "{error}"),
            Self::Untrustworthy { reason, failure } => {
                write!(formatter, "{}: {reason}.", failure.path)?;
            }
            _ => {
                if let Some(failure) = self.failure() {
                    write!(formatter, "{failure}.")?;
                }
            }
        }
        write!(formatter, " {}", self.advice())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Query(error) => Some(error),
            Self::Config(error) => Some(error),
            _ => self
                .failure()?
                .source
                .as_deref()
                .map(|source| source as &(dyn std::error::Error + 'static)),
        }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

fn auth_advice(kind: AuthKind) -> &'static str {
    match kind {
        AuthKind::Rejected => {
            "Check the password or key, a locked or inactive user, `password needs reset`, multi-factor authentication, the basic-auth restriction (use OAuth or a web-service-only user) and the REST API access policies."
        }
        AuthKind::SecondFactor => {
            "The password is right but a second factor is asked for: use OAuth or a web-service-only user."
        }
        AuthKind::Token => {
            "The token endpoint gives one answer for many causes: check client id and secret, whether the grant is enabled (glide.oauth.inbound.client.credential.grant_type.enabled), the application user, the scope, and an expired refresh token; the instance log names the cause."
        }
    }
}

fn forbidden_advice(kind: ForbiddenKind) -> &'static str {
    match kind {
        ForbiddenKind::Acl => "Give the integration account a role that may do this.",
        ForbiddenKind::DataPolicy => {
            "A data policy wants more fields, named by their labels: add them to the field templates or correct a value the instance dropped."
        }
        ForbiddenKind::BusinessRule => {
            "A business rule of the instance refused the write: ask its owner what it checks."
        }
        ForbiddenKind::Query => {
            "The query uses a column that does not exist or that the account may not read: correct the name or grant read and query access."
        }
        ForbiddenKind::Api => {
            "The account has no access to this table or API; the answer can be a stray one, so one more try is worth it."
        }
        ForbiddenKind::Other => {
            "The instance refused the call: the detail, or its log under the transaction id, says why."
        }
    }
}

fn invalid_advice(kind: InvalidKind) -> &'static str {
    match kind {
        InvalidKind::Table => "Check the table name, and whether its plugin is installed.",
        InvalidKind::Path => {
            "This host does not know the API: check the base URL, and whether the plugin of the API is installed."
        }
        InvalidKind::Request => "The instance could not use the request: correct the values sent.",
        InvalidKind::TooLong => {
            "The URL or the body is too long: ask for fewer ids or fields at a time."
        }
        InvalidKind::Protocol => {
            "The method or media type was refused: check the base URL and any proxy in between."
        }
    }
}

fn garbage_advice(kind: GarbageKind) -> &'static str {
    match kind {
        GarbageKind::Html(HtmlKind::Hibernating) => {
            "The developer instance sleeps: sign in to developer.servicenow.com and wake it."
        }
        GarbageKind::Html(HtmlKind::Login) => {
            "A log-in page came instead of an answer: check the base URL and the single sign-on in front of the API."
        }
        GarbageKind::Html(HtmlKind::Offline) => {
            "The instance is offline or waking up: try again in some minutes."
        }
        GarbageKind::Html(HtmlKind::Other) | GarbageKind::Redirect => {
            "A web page or redirect came instead of an answer: check the base URL, any proxy, and whether the instance is in maintenance."
        }
        GarbageKind::Cut => {
            "The answer is not complete JSON: ask for fewer rows or fields at a time."
        }
        GarbageKind::Accepted202 => {
            "The instance threw the request away because too many wait on one session: try again later."
        }
        GarbageKind::ErrorIn200 => {
            "The instance gave up while it was answering: ask for fewer rows at a time, or try again later."
        }
        GarbageKind::WrongShape => {
            "The answer is not one of this API: check the base URL and any proxy in between."
        }
    }
}

fn connect_advice(kind: ConnectKind) -> &'static str {
    match kind {
        ConnectKind::Dns => {
            "The host name cannot be resolved: check the base URL and the DNS of this machine."
        }
        ConnectKind::Refused => "Nothing listens there: check host and port.",
        ConnectKind::Tls => {
            "The TLS handshake failed: check the certificate, or add the root of your proxy to the extra root certificates."
        }
        ConnectKind::Timeout | ConnectKind::Other => {
            "No connection came about: check the network, the firewall and the address."
        }
    }
}
