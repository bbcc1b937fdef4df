//! Calendar months in UTC, the unit in which PostgreSQL keeps what is only ever added to.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, TimeZone as _, Utc};

/// A month of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

impl Month {
    /// The month in which `at` lies.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self(at.year() * 12 + i32::try_from(at.month0()).unwrap_or_default())
    }

    /// So many months later.
    #[must_use]
    pub fn plus(self, months: u32) -> Self {
        Self(self.0.saturating_add_unsigned(months))
    }

    /// So many months before.
    #[must_use]
    pub fn minus(self, months: u32) -> Self {
        Self(self.0.saturating_sub_unsigned(months))
    }

    /// Its first moment.
    pub fn start(self) -> DateTime<Utc> {
        let month = self.0.rem_euclid(12).unsigned_abs() + 1;
        Utc.with_ymd_and_hms(self.0.div_euclid(12), month, 1, 0, 0, 0)
            .single()
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// As in `2026_03`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}_{:02}",
            self.0.div_euclid(12),
            self.0.rem_euclid(12) + 1
        )
    }
}

/// A text that is no month.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no month such as 2026_03")]
pub struct BadMonth;

impl FromStr for Month {
    type Err = BadMonth;

    fn from_str(text: &str) -> Result<Self, BadMonth> {
        let (year, month) = text.split_once('_').ok_or(BadMonth)?;
        let year: i32 = year.parse().map_err(|_| BadMonth)?;
        let month: i32 = month.parse().map_err(|_| BadMonth)?;
        if !(1..=12).contains(&month) {
            return Err(BadMonth);
        }
        Ok(Self(year * 12 + month - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_count_across_years() {
        let at = Utc.with_ymd_and_hms(2026, 12, 31, 23, 59, 59).unwrap();
        let month = Month::of(at);
        assert_eq!(month.to_string(), "2026_12");
        assert_eq!(month.plus(1).to_string(), "2027_01");
        assert_eq!(month.minus(12).to_string(), "2025_12");
        assert_eq!(
            month.start(),
            Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap()
        );
        assert_eq!("2026_12".parse(), Ok(month));
        for text in ["2026", "2026_13", "2026_0", "default", "before_2026_12"] {
            assert_eq!(text.parse::<Month>(), Err(BadMonth), "{text}");
        }
    }
}
