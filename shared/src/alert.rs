//! Alerts: which there are, and what becomes of one after a look. Pure; the scheduler looks and tells (N25).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$about:meta])* $kind:ident: $($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $kind {
            $($(#[$doc])* $variant,)*
        }

        impl $kind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its word in the database, the API and the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $kind {
            type Err = BadWord;

            fn from_str(word: &str) -> Result<Self, BadWord> {
                let known = Self::ALL.iter().find(|it| it.as_str() == word);
                known.copied().ok_or_else(|| BadWord(word.to_owned()))
            }
        }
    };
}

/// A word that is none of those it may be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not known here")]
pub struct BadWord(String);

words! {
    /// What is looked at. The word is a key below `[alerts.rules]` and a row in SQL: it is never renamed.
    AlertName:
    /// Dead jobs, of all lanes together.
    DeadJobs = "dead_jobs",
    /// Dead jobs of one lane.
    DeadJobsInLane = "dead_jobs_in_lane",
    /// Seconds for which the oldest due job of a lane has waited.
    OldestDue = "oldest_due",
    /// Lanes that too few workers serve.
    NoWorker = "no_worker",
    /// Connections that are held back until somebody mends something.
    ConnectionHeld = "connection_held",
    /// Percent of the runs on a connection that the instance's limits have put off.
    ThrottledShare = "throttled_share",
    /// Days for which a credential still lives.
    CredentialAge = "credential_age",
    /// Log-ins that an instance has refused since it last accepted one.
    CredentialRefused = "credential_refused",
    /// Requests whose ticket has a value that no map knows.
    UnmappedStates = "unmapped_states",
    /// Creates of which nobody knows whether they have made a ticket.
    AmbiguousCreates = "ambiguous_creates",
    /// Callbacks that their source has not taken.
    FailedCallbacks = "failed_callbacks",
    /// Differences that the last comparison of a table has found.
    DriftFound = "drift_found",
    /// Entries of state maps that do not fit the choice lists of the instance.
    ChoiceDrift = "choice_drift",
}

words! {
    /// How bad it is, for whoever sorts messages.
    Severity:
    /// To know.
    Info = "info",
    /// To look at in working hours.
    Warning = "warning",
    /// To look at now.
    Critical = "critical",
}

words! {
    /// Where an alert stands.
    AlertState:
    /// It does not hold.
    Resolved = "resolved",
    /// It holds, but not for long enough.
    Pending = "pending",
    /// It holds, and was told.
    Firing = "firing",
    /// It holds, and an operator has silenced it.
    Quiet = "quiet",
}

words! {
    /// What a message tells.
    Told:
    /// It has begun to fire.
    Fired = "fired",
    /// It still fires.
    Repeated = "repeated",
    /// It does not hold any more.
    Resolved = "resolved",
}

/// Where an alert stands, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub state: AlertState,
    /// Since when it holds; of one that is resolved, since when it does not.
    pub since: DateTime<Utc>,
    /// When it was last told that it holds; `None` when nobody was told since it began to.
    pub told_at: Option<DateTime<Utc>>,
}

/// What a look has found.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether the rule is on.
    pub is_on: bool,
    /// Whether the condition of the rule holds.
    pub holds: bool,
    /// Whether an operator has silenced the alert.
    pub is_silenced: bool,
    /// For how long it must hold.
    pub for_long: TimeDelta,
    /// For how long it is not told again while it holds.
    pub quiet: TimeDelta,
    /// The present moment.
    pub now: DateTime<Utc>,
}

impl Standing {
    /// Where it stands after a look, and what is to be told.
    ///
    /// A silence keeps back that it holds. That it does not hold any more is told whoever was told that it does.
    #[must_use]
    pub fn after(self, look: &Look) -> (Self, Option<Told>) {
        let now = look.now;
        if !look.is_on || !look.holds {
            return self.ended(look);
        }
        let since = match self.state {
            AlertState::Resolved => now,
            _ => self.since,
        };
        let told_at = self.told_at;
        let holds = |state, told_at| Self {
            state,
            since,
            told_at,
        };
        let was_firing = matches!(self.state, AlertState::Firing | AlertState::Quiet);
        if !was_firing && now - since < look.for_long {
            return (holds(AlertState::Pending, None), None);
        }
        if look.is_silenced {
            return (holds(AlertState::Quiet, told_at), None);
        }
        let told = match told_at {
            None => Some(Told::Fired),
            Some(at) if self.state == AlertState::Quiet || now - at >= look.quiet => {
                Some(Told::Repeated)
            }
            Some(_) => None,
        };
        let told_at = told.map_or(told_at, |_| Some(now));
        (holds(AlertState::Firing, told_at), told)
    }

    fn ended(self, look: &Look) -> (Self, Option<Told>) {
        if self.state == AlertState::Resolved {
            return (self, None);
        }
        let resolved = Self {
            state: AlertState::Resolved,
            since: look.now,
            told_at: None,
        };
        let told = self.told_at.filter(|_| look.is_on);
        (resolved, told.map(|_| Told::Resolved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: TimeDelta = TimeDelta::minutes(1);

    fn look(minute: i32, holds: bool) -> Look {
        Look {
            is_on: true,
            holds,
            is_silenced: false,
            for_long: MINUTE * 2,
            quiet: MINUTE * 10,
            now: DateTime::UNIX_EPOCH + MINUTE * minute,
        }
    }

    fn resolved() -> Standing {
        Standing {
            state: AlertState::Resolved,
            since: DateTime::UNIX_EPOCH,
            told_at: None,
        }
    }

    /// What is told, minute by minute.
    fn told(looks: impl IntoIterator<Item = Look>) -> Vec<(i64, Told)> {
        let mut standing = resolved();
        let mut all = Vec::new();
        for look in looks {
            let (next, told) = standing.after(&look);
            standing = next;
            let minute = (look.now - DateTime::UNIX_EPOCH).num_minutes();
            all.extend(told.map(|told| (minute, told)));
        }
        all
    }

    #[test]
    fn it_is_told_once_again_after_the_quiet_period_and_when_it_is_over() {
        let looks = (1..30).map(|minute| look(minute, (3..27).contains(&minute)));
        assert_eq!(
            told(looks),
            [
                (5, Told::Fired),
                (15, Told::Repeated),
                (25, Told::Repeated),
                (27, Told::Resolved)
            ]
        );
    }

    #[test]
    fn what_does_not_last_is_not_told() {
        let looks = (1..30).map(|minute| look(minute, minute % 3 != 0));
        assert_eq!(told(looks), []);
    }

    #[test]
    fn a_silence_keeps_back_that_it_holds_and_not_that_it_is_over() {
        let silenced = |minute: i32, from: i32, until: i32, end: i32| Look {
            is_silenced: (from..until).contains(&minute),
            ..look(minute, (1..end).contains(&minute))
        };
        let before = (0..40).map(|minute| silenced(minute, 0, 20, 30));
        assert_eq!(told(before), [(20, Told::Fired), (30, Told::Resolved)]);
        let between = (0..40).map(|minute| silenced(minute, 5, 20, 22));
        assert_eq!(
            told(between),
            [(3, Told::Fired), (20, Told::Repeated), (22, Told::Resolved)]
        );
        let whole = (0..40).map(|minute| silenced(minute, 5, 40, 22));
        assert_eq!(told(whole), [(3, Told::Fired), (22, Told::Resolved)]);
        let never = (0..40).map(|minute| silenced(minute, 0, 40, 22));
        assert_eq!(told(never), []);
    }

    #[test]
    fn a_rule_that_is_switched_off_ends_without_a_word() {
        let looks = (1..10).map(|minute| Look {
            is_on: minute < 6,
            ..look(minute, true)
        });
        assert_eq!(told(looks), [(3, Told::Fired)]);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for name in AlertName::ALL {
            assert_eq!(name.as_str().parse(), Ok(*name));
            assert_eq!(serde_json::json!(name), name.as_str());
        }
        assert!("dead_job".parse::<AlertName>().is_err());
    }
}
