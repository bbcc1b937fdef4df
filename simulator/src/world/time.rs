//! Times as rows hold them: `YYYY-MM-DD HH:MM:SS` in UTC, cut to seconds.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

const STAMP: &str = "%Y-%m-%d %H:%M:%S";

/// An instant as a row stores it.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.format(STAMP).to_string()
}

/// Reads a stored instant.
pub(crate) fn parse_stamp(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, STAMP)
        .ok()
        .map(|naive| naive.and_utc())
}

/// Reads a date-time or a date as a person in `zone` means it; gives the instant in UTC.
pub(crate) fn parse_local(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let naive = NaiveDateTime::parse_from_str(text, STAMP)
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
        .or_else(|_| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN))
        });
    naive.ok().map(|naive| instant(naive, zone))
}

/// The instant of a wall-clock time; of a time that a zone skips, the time an hour earlier
/// by the clock, which is what the platform's calendar does as well.
pub(crate) fn instant(naive: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let earlier = || {
        zone.from_local_datetime(&(naive - chrono::TimeDelta::hours(1)))
            .earliest()
    };
    let local = zone.from_local_datetime(&naive).earliest();
    local
        .or_else(earlier)
        .map_or_else(|| naive.and_utc(), |local| local.with_timezone(&Utc))
}

/// A stored instant as a person in `zone` reads it, in ServiceNow's date format letters.
pub(crate) fn display(text: &str, zone: Tz, date_format: &str) -> String {
    let Some(at) = parse_stamp(text) else {
        return text.to_owned();
    };
    let date = strftime(date_format);
    at.with_timezone(&zone)
        .format(&format!("{date} %H:%M:%S"))
        .to_string()
}

/// A stored date in the user's format.
pub(crate) fn display_date(text: &str, date_format: &str) -> String {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    date.map_or_else(
        |_| text.to_owned(),
        |date| date.format(&strftime(date_format)).to_string(),
    )
}

fn strftime(date_format: &str) -> String {
    if date_format.is_empty() {
        return "%Y-%m-%d".to_owned();
    }
    date_format
        .replace("yyyy", "%Y")
        .replace("MM", "%m")
        .replace("dd", "%d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_read_in_its_zone() {
        let at = parse_local("2026-09-02 00:05:14", Tz::US__Pacific).unwrap();
        assert_eq!(stamp(at), "2026-09-02 07:05:14");
        assert_eq!(
            stamp(parse_local("2026-01-01", Tz::US__Pacific).unwrap()),
            "2026-01-01 08:00:00"
        );
        assert!(parse_local("yesterday", Tz::UTC).is_none());
    }

    #[test]
    fn a_display_follows_zone_and_format() {
        let shown = display("2026-09-02 07:05:14", Tz::US__Pacific, "dd-MM-yyyy");
        assert_eq!(shown, "02-09-2026 00:05:14");
    }

    #[test]
    fn a_time_the_zone_skips_still_has_an_instant() {
        let skipped = parse_local("2026-03-08 02:30:00", Tz::US__Pacific).unwrap();
        assert_eq!(stamp(skipped), "2026-03-08 09:30:00");
    }
}
