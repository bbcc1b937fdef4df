//! What is known of a call besides its value.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use reqwest::header::HeaderMap;

use crate::call::Call;

/// Whoever asks for a longer wait is asked again after it: rate windows are an hour long (wire contract 1.3), and no
/// broken header may silence a connection for years, or overflow a date.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A value and what is known of the call that brought it.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    pub value: T,
    pub meta: CallMeta,
}

impl<T> Reply<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Reply<U> {
        Reply {
            value: change(self.value),
            meta: self.meta,
        }
    }
}

/// One HTTP call as it may be logged: no query values, no headers with secrets.
#[derive(Debug, Clone)]
pub struct CallMeta {
    pub method: String,
    /// The path without its query: queries may hold personal data (wire contract 15, rule 11).
    pub path: String,
    pub status: u16,
    /// `X-Transaction-ID`: ServiceNow support asks for it.
    pub transaction_id: Option<String>,
    pub duration: Duration,
    /// The `Date` header: the only server clock that comes with every answer.
    pub server_date: Option<DateTime<Utc>>,
    pub rate: RateInfo,
}

impl CallMeta {
    pub(crate) fn of(call: &Call, status: u16, headers: &HeaderMap, duration: Duration) -> Self {
        Self {
            method: call.method.to_string(),
            path: call.path.clone(),
            status,
            transaction_id: text(headers, "x-transaction-id"),
            duration,
            server_date: text(headers, "date").and_then(|date| http_date(&date)),
            rate: RateInfo::from_headers(headers),
        }
    }
}

/// `X-RateLimit-*`: present on every answer that matches a rate-limit rule (wire contract 1.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateInfo {
    /// Requests per hour.
    pub limit: Option<u64>,
    /// Requests left in this window. ServiceNow does not send it; gateways in front of it do.
    pub remaining: Option<u64>,
    /// When the window starts anew.
    pub reset: Option<DateTime<Utc>>,
    /// The sys_id of the rule.
    pub rule: Option<String>,
}

impl RateInfo {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        Self {
            limit: number(headers, "x-ratelimit-limit"),
            remaining: number(headers, "x-ratelimit-remaining"),
            reset: number::<i64>(headers, "x-ratelimit-reset")
                .and_then(|seconds| Utc.timestamp_opt(seconds, 0).single()),
            rule: text(headers, "x-ratelimit-rule"),
        }
    }

    pub(crate) fn is_present(&self) -> bool {
        self.limit.is_some() || self.reset.is_some() || self.rule.is_some()
    }
}

/// A header as trimmed text.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// A header as a number.
pub(crate) fn number<N: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<N> {
    text(headers, name)?.parse().ok()
}

/// An HTTP date: `Sat, 05 Nov 2022 00:53:43 GMT`.
pub(crate) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(date.with_timezone(&Utc))
}

/// `Retry-After` as seconds or as an HTTP date (the date is measured from `now`).
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    Some(until(http_date(&value)?, now))
}

/// The time from `now` to `then`, zero when it has passed.
pub(crate) fn until(then: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (then - now).to_std().unwrap_or_default().min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    reqwest::header::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_date() {
        let now = http_date("Sun, 22 Nov 2026 10:00:00 GMT").unwrap();
        let seconds = headers(&[("retry-after", " 1532 ")]);
        assert_eq!(retry_after(&seconds, now), Some(Duration::from_secs(1532)));
        let date = headers(&[("retry-after", "Sun, 22 Nov 2026 10:01:30 GMT")]);
        assert_eq!(retry_after(&date, now), Some(Duration::from_secs(90)));
        let past = headers(&[("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT")]);
        assert_eq!(retry_after(&past, now), Some(Duration::ZERO));
        let nonsense = headers(&[("retry-after", "soon")]);
        assert_eq!(retry_after(&nonsense, now), None);
    }

    #[test]
    fn waits_beyond_reason_are_cut() {
        let now = http_date("Sun, 22 Nov 2026 10:00:00 GMT").unwrap();
        for value in [
            "18446744073709551615",
            "9000000000000",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            let wait = retry_after(&headers(&[("retry-after", value)]), now);
            assert_eq!(wait, Some(LONGEST_WAIT), "{value}");
        }
        assert_eq!(until(DateTime::<Utc>::MAX_UTC, now), LONGEST_WAIT);
    }

    #[test]
    fn rate_headers_are_read() {
        let rate = RateInfo::from_headers(&headers(&[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-reset", "1795345200"),
            ("x-ratelimit-rule", "0123456789abcdef0123456789abcdef"),
        ]));
        assert_eq!(rate.limit, Some(100));
        assert_eq!(rate.reset.unwrap().timestamp(), 1_795_345_200);
        assert!(rate.is_present());
        assert!(!RateInfo::from_headers(&HeaderMap::new()).is_present());
    }
}
