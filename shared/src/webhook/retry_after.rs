//! `Retry-After` of a receiver: seconds, or a date (RFC 9110, 10.2.3).

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that is obeyed; a receiver that asks for more is asked again after it.
const LONGEST: Duration = Duration::from_hours(24);

/// How long to wait; `None` when it cannot be read.
pub fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
        (date - now).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = DateTime::parse_from_rfc2822("Sun, 22 Nov 2026 10:00:00 GMT")
            .unwrap()
            .to_utc();
        assert_eq!(parse("120", now), Some(Duration::from_mins(2)));
        assert_eq!(
            parse("Sun, 22 Nov 2026 10:01:30 GMT", now),
            Some(Duration::from_secs(90))
        );
        assert_eq!(
            parse("Sun, 22 Nov 2026 09:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(parse("99999999", now), Some(LONGEST));
        assert_eq!(parse("soon", now), None);
    }
}
