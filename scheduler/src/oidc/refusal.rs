//! Why somebody was not let in, in the words of the sign-in page.

use chrono::{DateTime, Utc};
use shared::store::StoreError;

use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "Sign-in through an identity provider is not set up here. An administrator sets it up with console.oidc in the configuration."
    )]
    Off,
    #[error(
        "Your browser did not bring the cookie of this sign-in back: it was begun more than ten minutes ago, in another browser, or at \
         another address than {0}. Sign in again, beginning there."
    )]
    NoCookie(String),
    #[error(
        "What the identity provider answered belongs to another sign-in than the one that this browser began last. Sign in again."
    )]
    OtherSignIn,
    #[error(
        "This sign-in was used already, or took more than ten minutes. Nothing was changed. Sign in again."
    )]
    Used,
    #[error(
        "The identity provider did not let you in: {0}. Sign in again, with an account that may use TicketBridge; who may is decided \
         at the provider."
    )]
    Denied(String),
    #[error("The identity provider sent neither a code nor an error. Sign in again.")]
    NoCode,
    #[error(
        "The identity provider does not answer when asked for {what} ({}). Try again in a minute. If it lasts, an administrator \
         looks whether the bridge reaches console.oidc.issuer.",
        in_short(source)
    )]
    Unreachable {
        what: &'static str,
        source: reqwest::Error,
    },
    #[error(
        "What the identity provider answered when asked for {what} does not read ({source}). An administrator looks whether \
         console.oidc.issuer is right."
    )]
    Unreadable {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error(
        "The identity provider calls itself `{found}`, and console.oidc.issuer says `{configured}`. An administrator makes them the same."
    )]
    OtherIssuer { found: String, configured: String },
    #[error(
        "The identity provider names an address that the bridge does not call ({0}). It must begin with https://, unless the issuer does not."
    )]
    BadEndpoint(&'static str),
    #[error(
        "The identity provider did not take the code: {0}. Sign in again: a code counts once, and for a short time only."
    )]
    CodeRefused(String),
    #[error(
        "The identity provider does not accept the bridge itself: {0}. An administrator compares console.oidc.client_id and \
         client_secret with what is set there."
    )]
    ClientRefused(String),
    #[error(
        "The ID token of the identity provider does not read: {0}. Sign in again; if it lasts, an administrator looks at the provider."
    )]
    Malformed(&'static str),
    #[error(
        "The ID token is signed with `{0}`; the bridge takes RS256 and ES256. An administrator chooses one of them for this client at the provider."
    )]
    Algorithm(String),
    #[error(
        "The ID token is signed with a key that the identity provider does not publish. Sign in again in a minute: if it has just changed its \
         keys, the new ones are read by then."
    )]
    UnknownKey,
    #[error(
        "The signature of the ID token is wrong, so nothing in it is believed. Sign in again; if it lasts, somebody stands between the \
         bridge and the identity provider, or console.oidc.issuer names another one."
    )]
    BadSignature,
    #[error(
        "The ID token is not for this bridge: its `{claim}` is {found}, and must be `{expected}`. An administrator compares console.oidc \
         with what is set at the provider."
    )]
    NotForUs {
        claim: &'static str,
        found: String,
        expected: String,
    },
    #[error(
        "The ID token belongs to another sign-in (its `nonce` is wrong), so it was not taken. Sign in again."
    )]
    Nonce,
    #[error(
        "The ID token does not hold at this moment: its `{claim}` is {stamp}, and the bridge's clock says {now}. If you signed in just now, an \
         administrator compares the clocks of the bridge and of the identity provider."
    )]
    Clock {
        claim: &'static str,
        stamp: String,
        now: DateTime<Utc>,
    },
    #[error(
        "The ID token names nobody: it holds none of the claims {0}. An administrator has the provider put one of them into ID tokens, or names \
         another in console.oidc.name_claims. An address that is not verified does not count."
    )]
    NoName(String),
    #[error(
        "The claim `{claim}` says `{name}`, which will not do as the name of an operator: use 1 to 64 letters, digits, dots, dashes, \
         underscores or @. An administrator names another claim in console.oidc.name_claims."
    )]
    BadName { claim: String, name: String },
    #[error(
        "The ID token holds no claim `{0}`, so you have no role here. An administrator has the provider put it into ID tokens, or \
         names another claim in console.oidc.roles_claim."
    )]
    NoRolesClaim(String),
    #[error(
        "You have no role here: the claim `{claim}` says {found}, and none of that gives a role. An administrator puts you into a group \
         that gives one, or adds one of these values to console.oidc.roles."
    )]
    NoRole { claim: String, found: String },
    #[error(
        "There is another operator `{name}` already ({source_word}), who is not taken over. An administrator has you called otherwise at the \
         identity provider, or names another claim in console.oidc.name_claims."
    )]
    NameTaken {
        name: String,
        source_word: &'static str,
    },
    #[error(
        "The access of `{0}` was taken away. An administrator gives it back with `ticketbridge operator enable {0}`."
    )]
    Disabled(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Store(error) => return error.into(),
            Refusal::Off => Kind::NotFound,
            Refusal::Unreachable { .. }
            | Refusal::Unreadable { .. }
            | Refusal::OtherIssuer { .. }
            | Refusal::BadEndpoint(_)
            | Refusal::ClientRefused(_) => Kind::NoProvider,
            Refusal::NoRole { .. } | Refusal::NoRolesClaim(_) | Refusal::Disabled(_) => {
                Kind::AccessRefused
            }
            _ => Kind::LoginRefused,
        };
        Self::new(kind, refusal.to_string())
    }
}

/// What happened to a call, for people who only want in; the log has the whole.
pub(super) fn in_short(error: &reqwest::Error) -> String {
    match error.status() {
        Some(status) => format!("it answered {status}"),
        None if error.is_timeout() => "nothing came in time".to_owned(),
        None if error.is_connect() => "there is no connection".to_owned(),
        None => error.to_string(),
    }
}

impl Refusal {
    /// Whether the provider vouches for somebody and gives them no role.
    pub(super) fn says_no_role(&self) -> bool {
        matches!(self, Self::NoRole { .. } | Self::NoRolesClaim(_))
    }

    /// Tells the log, with the last cause.
    pub(super) fn log(&self, address: &str) {
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(self);
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let cause = cause.map(tracing::field::display);
        tracing::warn!(reason = %self, cause, address, "a sign-in through the identity provider failed");
    }
}
