//! Comparing what the bridge believes with what the instance counts: windows, tallies and verdicts, without I/O (N5, N26).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The form of `sys_updated_on` (wire contract 2.4).
const STAMP: &str = "%Y-%m-%d %H:%M:%S";

/// Stamps of `sys_updated_on`, UTC; both ends belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First stamp.
    pub from: String,
    /// Last stamp.
    pub to: String,
}

/// How many tickets and rows a comparison looked at, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All of them.
    pub checked: i64,
    /// Both sides agree.
    pub unchanged: i64,
    /// What was missed is read now.
    pub repaired: i64,
    /// A human must look.
    pub flagged: i64,
    /// It could not be settled.
    pub failed: i64,
}

/// How a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides agree.
    Clean,
    /// They did not; all of it is repaired or flagged.
    Drifted,
    /// Some of it could not be settled, or not everything was looked at.
    Partial,
    /// What the instance says cannot be believed; nothing was changed.
    Untrusted,
}

/// What was wrong with one ticket or row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// A change had been missed.
    Missed,
    /// A ticket of ours is gone, or hidden.
    Gone,
    /// A second row carries the key of a request.
    Double,
    /// A row carries our name and is no ticket of ours.
    Foreign,
    /// A ticket exists though its request ended without one.
    Stray,
    /// The instance shows an older version than we have seen.
    Older,
    /// Nobody can tell.
    Unclear,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub difference: Difference,
    /// Record of ServiceNow.
    pub sys_id: String,
    /// Its number, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The request it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
}

impl Window {
    /// The `length` that ends at `to`; `None` when `to` is no stamp.
    pub fn until(to: &str, length: TimeDelta) -> Option<Self> {
        let end = parse(to)?;
        let start = end.checked_sub_signed(length)?;
        Some(Self {
            from: start.format(STAMP).to_string(),
            to: to.to_owned(),
        })
    }

    /// Two halves without a gap and without an overlap; `None` for a single second.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let (from, to) = (parse(&self.from)?, parse(&self.to)?);
        let seconds = (to - from).num_seconds();
        if seconds < 1 {
            return None;
        }
        let middle = from + TimeDelta::seconds(seconds / 2);
        let first = Self {
            from: self.from.clone(),
            to: middle.format(STAMP).to_string(),
        };
        let second = Self {
            from: (middle + TimeDelta::seconds(1)).format(STAMP).to_string(),
            to: self.to.clone(),
        };
        Some((first, second))
    }

    /// Whether it holds this stamp.
    pub fn holds(&self, stamp: &str) -> bool {
        self.from.as_str() <= stamp && stamp <= self.to.as_str()
    }
}

impl Tally {
    /// Adds what agreed as a whole.
    pub fn agreed(&mut self, count: i64) {
        self.checked += count;
        self.unchanged += count;
    }

    /// What was looked at and never accounted for counts as failed: the sum always holds.
    pub fn settle(&mut self) {
        self.failed += self.checked - (self.unchanged + self.repaired + self.flagged + self.failed);
    }

    /// Whether everything that was looked at is accounted for.
    pub fn adds_up(&self) -> bool {
        self.failed >= 0
            && self.checked == self.unchanged + self.repaired + self.flagged + self.failed
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        if !self.adds_up() || self.failed > 0 {
            Verdict::Partial
        } else if self.repaired + self.flagged > 0 {
            Verdict::Drifted
        } else {
            Verdict::Clean
        }
    }
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Clean, Self::Drifted, Self::Partial, Self::Untrusted];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drifted => "drifted",
            Self::Partial => "partial",
            Self::Untrusted => "untrusted",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored word that is no verdict.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no verdict")]
pub struct UnknownVerdict(pub String);

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(word: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
            .ok_or_else(|| UnknownVerdict(word.to_owned()))
    }
}

fn parse(stamp: &str) -> Option<DateTime<Utc>> {
    let naive = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?;
    Some(naive.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_verdict_is_a_sum_that_holds() {
        let mut tally = Tally::default();
        assert_eq!(tally.verdict(), Verdict::Clean);
        tally.agreed(5);
        assert_eq!(tally.verdict(), Verdict::Clean);
        tally.checked += 2;
        tally.repaired += 1;
        assert!(!tally.adds_up());
        assert_eq!(tally.verdict(), Verdict::Partial);
        tally.settle();
        assert_eq!((tally.failed, tally.verdict()), (1, Verdict::Partial));
        tally.failed = 0;
        tally.flagged = 1;
        assert_eq!(tally.verdict(), Verdict::Drifted);
        tally.flagged = 2;
        tally.settle();
        assert!(!tally.adds_up(), "more was accounted for than looked at");
        assert_eq!(tally.verdict(), Verdict::Partial);
    }

    #[test]
    fn verdicts_read_back() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.as_str().parse(), Ok(verdict));
        }
        assert!("fine".parse::<Verdict>().is_err());
    }

    proptest! {
        #[test]
        fn halves_cover_a_window_once_and_end(start in 0_i64..4_000_000_000, seconds in 0_i64..100_000_000, probe in 0_i64..100_000_000) {
            let stamp = |at: i64| DateTime::from_timestamp(at, 0).unwrap().format(STAMP).to_string();
            let mut window = Window { from: stamp(start), to: stamp(start + seconds) };
            let probe = stamp(start + probe % (seconds + 1));
            let mut steps = 0;
            while let Some((first, second)) = window.halves() {
                prop_assert!(first.holds(&probe) != second.holds(&probe));
                window = if first.holds(&probe) { first } else { second };
                steps += 1;
            }
            prop_assert!(window.holds(&probe) && window.from == window.to);
            prop_assert!(steps <= 28);
        }
    }
}
