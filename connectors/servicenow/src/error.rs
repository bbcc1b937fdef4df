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
use crate::throttle::Held;

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
    /// The throttle of the client did not let it through: certainly not sent.
    Held(Held),
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
            Self::Held(_) => "held",
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
            Self::Query(_) | Self::Config(_) | Self::Held(_) => None,
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
            Self::Query(_) | Self::Config(_) | Self::Held(_) => None,
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
            Self::Held(held) => return write!(formatter, "{held}"),
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
            Self::Held(held) => Some(held),
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

impl From<Held> for Error {
    fn from(held: Held) -> Self {
        Self::Held(held)
    }
}
