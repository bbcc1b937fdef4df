//! Where a poll stands, and the time stamps it is written with.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

const FORM: &str = "%Y-%m-%d %H:%M:%S";

/// A place in the order of (sys_updated_on, sys_id). Both are kept as the server wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// `YYYY-MM-DD HH:MM:SS`, UTC; empty means "from the beginning".
    pub updated_on: String,
    /// Opaque; empty means "the whole of this second".
    pub sys_id: String,
}

impl Cursor {
    /// After this row.
    pub fn after(updated_on: impl Into<String>, sys_id: impl Into<String>) -> Self {
        Self {
            updated_on: updated_on.into(),
            sys_id: sys_id.into(),
        }
    }

    /// From this second on, inclusive.
    pub fn from_second(updated_on: impl Into<String>) -> Self {
        Self::after(updated_on, "")
    }

    /// The start of a poll that looks back over an overlap, because stamps become visible late (wire contract 2.10).
    /// A cursor whose stamp cannot be read is returned as it is.
    #[must_use]
    pub fn back_by(&self, overlap: std::time::Duration) -> Self {
        let moved = Duration::from_std(overlap)
            .ok()
            .zip(parse_time(&self.updated_on))
            .and_then(|(overlap, time)| time.checked_sub_signed(overlap));
        match moved {
            Some(time) => Self::from_second(format_time(time)),
            None => self.clone(),
        }
    }
}

/// Reads a raw date-time of the Table API: UTC, no zone mark (wire contract 2.4).
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let time = NaiveDateTime::parse_from_str(text, FORM).ok()?.and_utc();
    // The parser also takes shorter numbers, which no instance writes and which would not sort as text.
    (format_time(time) == text).then_some(time)
}

/// Writes a date-time as the Table API takes it.
pub fn format_time(time: DateTime<Utc>) -> String {
    time.format(FORM).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_strictly() {
        assert!(parse_time("2026-11-22 10:00:00").is_some());
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-1-2 1:2:3",
            "22-11-2026 10:00:00",
            "2026-11-22 10:00:00 ",
        ] {
            assert!(parse_time(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_overlap_goes_back_over_midnight() {
        let cursor = Cursor::after("2026-11-22 00:01:00", "abc");
        assert_eq!(
            cursor.back_by(std::time::Duration::from_mins(2)),
            Cursor::from_second("2026-11-21 23:59:00")
        );
        assert_eq!(
            Cursor::default().back_by(std::time::Duration::from_secs(1)),
            Cursor::default()
        );
    }
}
