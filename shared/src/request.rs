//! An access request: what the identity system asked for, and the states it can be in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The states of a request.
///
/// `accepted → opening → open → in_progress ⇄ on_hold → fulfilled | denied | cancelled`. `opening` is entered when a
/// create was tried and no clean answer has come yet; a create that succeeds at once skips it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Stored durably; no ticket yet.
    Accepted,
    /// A ticket is being created and the first answer was not a clean success.
    Opening,
    /// The ticket exists and nobody works on it yet.
    Open,
    /// Somebody works on it.
    InProgress,
    /// Work waits for something.
    OnHold,
    /// Done as asked.
    Fulfilled,
    /// Refused, or never possible; the reason stands beside it and the requester may ask again.
    Denied,
    /// Withdrawn or cancelled before it was done.
    Cancelled,
}

impl RequestState {
    /// Every state, in the order of a request's life.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Opening,
        Self::Open,
        Self::InProgress,
        Self::OnHold,
        Self::Fulfilled,
        Self::Denied,
        Self::Cancelled,
    ];

    /// The word used on the wire, in the database and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Opening => "opening",
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::OnHold => "on_hold",
            Self::Fulfilled => "fulfilled",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the request has ended. Ended requests never move again (the monotone guard of T9).
    pub fn is_final(self) -> bool {
        matches!(self, Self::Fulfilled | Self::Denied | Self::Cancelled)
    }

    /// Whether a request may move from this state to `next`.
    ///
    /// Staying in place is not a move. Nothing leaves a final state; nothing returns to `accepted` or `opening` once a
    /// ticket is known.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (from, to) if from == to || from.is_final() => false,
            (_, Self::Accepted) => false,
            (from, Self::Opening) => from == Self::Accepted,
            _ => true,
        }
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no request state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no request state; use one of accepted, opening, open, in_progress, on_hold, fulfilled, denied, cancelled"
)]
pub struct UnknownState(pub String);

impl FromStr for RequestState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| UnknownState(word.to_owned()))
    }
}

/// What a source asks for, as taken in. Kept word for word, so that a repeated call can be compared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The source's own id of the request; with the source's name it is the natural key. At most 100 characters.
    pub external_id: String,
    /// Service category; chooses the route.
    pub category: String,
    /// What is asked for ("SAP role Z_FI_CLERK").
    pub item: String,
    /// Who asked, as the identity system names people.
    pub requester: String,
    /// For whom it is.
    pub requested_for: String,
    /// Why; shown to whoever works on the ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// 1 (highest) to 5; 3 when not given.
    pub priority: u8,
    /// From when on it shall hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it shall hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// Whatever else the templates need.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Where to send signed callbacks for this request, instead of the source's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// A stored request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Our id, UUIDv7.
    pub id: Uuid,
    /// Name of the source that asked.
    pub source: String,
    /// Name of the route that serves it, fixed at intake.
    pub route: String,
    /// What was asked, with later extensions of its validity applied.
    pub asked: Asked,
    /// Where it stands.
    pub state: RequestState,
    /// Why it is in this state, in words a requester can read.
    pub reason: Option<String>,
    /// Set when a human should look: unmapped state, dropped field, conflict.
    pub attention: Option<String>,
    /// Counts up with each change; the ETag of the API.
    pub version: i64,
    /// When it was taken in.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it entered a final state.
    pub closed_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_are_never_left() {
        for from in RequestState::ALL
            .into_iter()
            .filter(|state| state.is_final())
        {
            for to in RequestState::ALL {
                assert!(!from.may_become(to), "{from} must not become {to}");
            }
        }
    }

    #[test]
    fn every_word_reads_back() {
        for state in RequestState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!(
            "closed".parse::<RequestState>(),
            Err(UnknownState("closed".into()))
        );
    }

    #[test]
    fn nothing_returns_to_before_the_ticket() {
        assert!(RequestState::Accepted.may_become(RequestState::Opening));
        assert!(!RequestState::Open.may_become(RequestState::Opening));
        assert!(!RequestState::InProgress.may_become(RequestState::Accepted));
    }
}
