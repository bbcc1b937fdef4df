//! Answers of an instance, or of whatever stands in its place.

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use servicenow_client::canned::Canned;
use servicenow_client::changes::{ChangesRequest, judge};
use servicenow_client::{Cursor, Error, Fields, Page, Query, Record};

/// Reads the bytes as an answer: a line with the status (and `cut`), lines of headers, an empty line, the body. Without
/// such a head they are the body of a 200. Whatever it is, it is a value that holds together or an error with a class.
pub fn servicenow_json(bytes: &[u8]) {
    let answer = answer(bytes);
    match answer.clone().page("incident") {
        Ok(page) => holds_together(&page),
        Err(error) => is_presentable(&error),
    }
    match answer.clone().record("incident") {
        Ok(record) => confirms_itself(&record),
        Err(error) => is_presentable(&error),
    }
    match answer.tokens() {
        Ok(tokens) => assert!(tokens.expires_in.as_secs() <= 366 * 24 * 3600),
        Err(error) => is_presentable(&error),
    }
}

fn answer(bytes: &[u8]) -> Canned<'_> {
    let now = DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    with_head(bytes, now).unwrap_or_else(|| Canned {
        status: 200,
        headers: HeaderMap::from_iter([(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]),
        body: bytes,
        is_cut: false,
        now,
    })
}

fn with_head(bytes: &[u8], now: DateTime<Utc>) -> Option<Canned<'_>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (status, is_cut) = match first.split_once(' ') {
        Some((status, rest)) => (status, rest == "cut"),
        None => (first, false),
    };
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    });
    Some(Canned {
        status: status
            .parse()
            .ok()
            .filter(|status| (200..600).contains(status))?,
        headers: headers.collect(),
        body: &bytes[end + 2..],
        is_cut,
        now,
    })
}

/// A page is taken or refused as a whole, and a cursor never goes back.
fn holds_together(page: &Page) {
    let filters = Query::new()
        .ne("sys_class_name", "problem")
        .expect("a query");
    for cursor in [
        Cursor::default(),
        Cursor::after("2026-11-22 10:00:00", "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"),
    ] {
        let request = ChangesRequest {
            limit: 3,
            offset: 6,
            ..ChangesRequest::new(filters.clone(), cursor.clone())
        };
        let Ok(verdict) = judge(&request, page.clone()) else {
            continue;
        };
        assert_eq!(verdict.rows, page.rows);
        assert_eq!(verdict.next.is_none(), page.rows.is_empty());
        assert!(
            verdict
                .next
                .is_none_or(|next| next.updated_on >= cursor.updated_on)
        );
        assert!(verdict.next_offset == 0 || verdict.next_offset == 9);
    }
}

/// A record confirms what it says itself.
fn confirms_itself(record: &Record) {
    let said = record
        .iter()
        .filter_map(|(name, value)| Some((name, value.value.as_deref()?)));
    let sent = said.fold(Fields::default(), |sent, (name, value)| {
        sent.with(name, value)
    });
    assert_eq!(record.differences(&sent), []);
}

/// An error has a class, and its text fits a log line.
fn is_presentable(error: &Error) {
    assert!(!error.class_name().is_empty());
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 4_000, "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let wait = error.failure().and_then(|failure| failure.retry_after);
    assert!(wait.unwrap_or_default().as_secs() <= 24 * 3600);
}
