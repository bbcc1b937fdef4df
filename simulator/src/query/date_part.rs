//! `fDATEPART<label>@javascript:gs.datePart('dayofweek','monday','EE')`.

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;

/// A part of a date and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatePart {
    part: String,
    value: String,
    comparison: String,
    zone: Tz,
}

impl DatePart {
    /// Reads the operand; `None` when it names no part.
    pub(crate) fn read(operand: &str, zone: Tz) -> Option<Self> {
        let (_, call) = operand.split_once("gs.datePart(")?;
        let mut words = call
            .trim_end_matches(')')
            .split(',')
            .map(|word| word.trim().trim_matches(['\'', '"']).to_ascii_lowercase());
        let (part, value) = (words.next()?, words.next()?);
        Some(Self {
            part,
            value,
            comparison: words.next().unwrap_or_else(|| "ee".to_owned()),
            zone,
        })
    }

    pub(crate) fn holds(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let (is, wanted) = match self.part.as_str() {
            "dayofweek" => (
                local.weekday().number_from_monday(),
                position(DAYS, &self.value),
            ),
            "month" => (local.month(), position(MONTHS, &self.value)),
            "quarter" => (local.month0() / 3 + 1, self.value.parse().ok()),
            "year" => (
                u32::try_from(local.year()).unwrap_or_default(),
                self.value.parse().ok(),
            ),
            "hour" => (local.hour(), self.value.parse().ok()),
            _ => return false,
        };
        let Some(wanted) = wanted else { return false };
        match self.comparison.as_str() {
            "gt" => is > wanted,
            "ge" => is >= wanted,
            "lt" => is < wanted,
            "le" => is <= wanted,
            _ => is == wanted,
        }
    }
}

const DAYS: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// One-based place of a word, or of the number itself.
fn position(words: &[&str], value: &str) -> Option<u32> {
    let named = words.iter().position(|word| value.starts_with(word));
    named
        .and_then(|index| u32::try_from(index + 1).ok())
        .or_else(|| value.parse().ok())
}
