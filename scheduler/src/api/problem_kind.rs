use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The kinds of problem. A word, once used, keeps its meaning: callers branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AccessRefused,
    BadHeader,
    BadQuery,
    BodyTooLarge,
    BodyTooSlow,
    Conflict,
    DatabaseUnavailable,
    EventsRemoved,
    ForeignSource,
    Internal,
    LoginRefused,
    MalformedBody,
    MethodNotAllowed,
    NoProvider,
    NotFound,
    OwnedByServicenow,
    PasswordsOff,
    RequestEnded,
    RoleTooLow,
    RouteDisabled,
    SessionEnded,
    StaleAction,
    StaleForm,
    Timeout,
    TokenMissing,
    TokenRefused,
    TooManyLogins,
    TooManyStreams,
    Unrenderable,
    UnknownCategory,
    UnsupportedMediaType,
    Validation,
    VersionMismatch,
}

impl Kind {
    /// Every kind, for the OpenAPI document.
    pub(crate) const ALL: [Self; 33] = [
        Self::AccessRefused,
        Self::BadHeader,
        Self::BadQuery,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::Conflict,
        Self::DatabaseUnavailable,
        Self::EventsRemoved,
        Self::ForeignSource,
        Self::Internal,
        Self::LoginRefused,
        Self::MalformedBody,
        Self::MethodNotAllowed,
        Self::NoProvider,
        Self::NotFound,
        Self::OwnedByServicenow,
        Self::PasswordsOff,
        Self::RequestEnded,
        Self::RoleTooLow,
        Self::RouteDisabled,
        Self::SessionEnded,
        Self::StaleAction,
        Self::StaleForm,
        Self::Timeout,
        Self::TokenMissing,
        Self::TokenRefused,
        Self::TooManyLogins,
        Self::TooManyStreams,
        Self::Unrenderable,
        Self::UnknownCategory,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::VersionMismatch,
    ];

    /// The word after `urn:ticketbridge:problem:`.
    pub(crate) fn word(self) -> &'static str {
        self.described().0
    }

    pub(crate) fn status(self) -> StatusCode {
        self.described().1
    }

    pub(crate) fn title(self) -> &'static str {
        self.described().2
    }

    fn described(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadHeader => ("bad-header", S::BAD_REQUEST, "A header does not fit"),
            Self::BadQuery => ("bad-query", S::BAD_REQUEST, "The query does not fit"),
            Self::BodyTooLarge => (
                "body-too-large",
                S::PAYLOAD_TOO_LARGE,
                "The body is too large",
            ),
            Self::BodyTooSlow => (
                "body-too-slow",
                S::REQUEST_TIMEOUT,
                "The body came too slowly",
            ),
            Self::Conflict => ("conflict", S::CONFLICT, "Sent before with another body"),
            Self::DatabaseUnavailable => (
                "database-unavailable",
                S::SERVICE_UNAVAILABLE,
                "The database cannot be reached",
            ),
            Self::EventsRemoved => (
                "events-removed",
                S::GONE,
                "Events behind the cursor are no longer kept",
            ),
            Self::ForeignSource => (
                "foreign-source",
                S::FORBIDDEN,
                "The token belongs to another source",
            ),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "The bridge failed"),
            Self::MalformedBody => ("malformed-body", S::BAD_REQUEST, "The body is not JSON"),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                S::METHOD_NOT_ALLOWED,
                "The method is not allowed here",
            ),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is nothing here"),
            Self::OwnedByServicenow => (
                "owned-by-servicenow",
                S::CONFLICT,
                "ServiceNow decides about this request",
            ),
            Self::RequestEnded => ("request-ended", S::CONFLICT, "The request has ended"),
            Self::RouteDisabled => ("route-disabled", S::CONFLICT, "The route is switched off"),
            Self::Timeout => ("timeout", S::SERVICE_UNAVAILABLE, "The call took too long"),
            Self::TokenMissing => ("token-missing", S::UNAUTHORIZED, "A token is needed"),
            Self::TokenRefused => ("token-refused", S::UNAUTHORIZED, "The token is not valid"),
            Self::TooManyStreams => (
                "too-many-streams",
                S::SERVICE_UNAVAILABLE,
                "All event streams are taken",
            ),
            Self::Unrenderable => (
                "unrenderable",
                S::UNPROCESSABLE_ENTITY,
                "The ticket cannot be written from this request",
            ),
            Self::UnknownCategory => (
                "unknown-category",
                S::UNPROCESSABLE_ENTITY,
                "No route serves the category",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body must be JSON",
            ),
            Self::Validation => (
                "validation",
                S::UNPROCESSABLE_ENTITY,
                "Fields of the body do not fit",
            ),
            Self::VersionMismatch => (
                "version-mismatch",
                S::PRECONDITION_FAILED,
                "The request has changed meanwhile",
            ),
            Self::AccessRefused => ("access-refused", S::FORBIDDEN, "This account has no access"),
            Self::PasswordsOff => ("passwords-off", S::FORBIDDEN, "Passwords are switched off"),
            Self::NoProvider => ("no-provider", S::BAD_GATEWAY, "The provider failed"),
            Self::LoginRefused => ("login-refused", S::UNAUTHORIZED, "The log-in was refused"),
            Self::RoleTooLow => ("role-too-low", S::FORBIDDEN, "The role does not suffice"),
            Self::SessionEnded => ("session-ended", S::UNAUTHORIZED, "The session has ended"),
            Self::StaleAction => ("stale-action", S::CONFLICT, "It has changed meanwhile"),
            Self::StaleForm => ("stale-form", S::FORBIDDEN, "A form of another session"),
            Self::TooManyLogins => ("too-many-logins", S::TOO_MANY_REQUESTS, "Too many log-ins"),
        }
    }
}

fn urn(kind: Kind) -> String {
    format!("urn:ticketbridge:problem:{}", kind.word())
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&urn(*self))
    }
}

impl PartialSchema for Kind {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.map(urn)))
            .into()
    }
}

impl ToSchema for Kind {
    fn name() -> std::borrow::Cow<'static, str> {
        "ProblemType".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_word_and_a_refusing_status() {
        let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }
}
