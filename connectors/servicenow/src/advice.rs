//! What to do about an error, in words for people.

use crate::error::Error;
use crate::kinds::{AuthKind, ConnectKind, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind};

impl Error {
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
            Self::Held(_) => "Nothing was sent: try again then.",
        }
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
