//! Signatures of callbacks and the headers of their answers.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use shared::clock::{Clock, SystemClock};
use shared::webhook::{retry_after, sign as signature};
use standardwebhooks::Webhook;

/// Reads the bytes as lines: secret, id, time stamp, `Retry-After`, a forged signature; the rest is the body. Whatever
/// is signed is verified by another implementation, and only as it was signed; no header of an answer does harm.
pub fn webhook_signature(bytes: &[u8]) {
    let mut parts = bytes.splitn(6, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (secret, id, stamp, after, forged) = (line(), line(), line(), line(), line());
    let body = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();

    let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    if let Some(wait) = retry_after(&after, now) {
        assert!(wait <= Duration::from_hours(24), "{after}");
    }
    let sign = |stamp: &str| {
        signature(
            &SecretString::from(secret.clone()),
            &id,
            stamp,
            body.as_bytes(),
        )
    };
    let Some(signed) = sign(&stamp) else {
        return;
    };
    let judge = Webhook::new(&secret).expect("a secret that signs also verifies");
    if let Ok(seconds) = stamp.parse::<i64>()
        && seconds.to_string() == stamp
    {
        let theirs = judge.sign(&id, seconds, body.as_bytes());
        assert_eq!(theirs.ok(), Some(signed));
    }
    verifies(&judge, &id, &body, &forged, sign);
}

/// The other implementation wants a stamp of now.
fn verifies(
    judge: &Webhook,
    id: &str,
    body: &str,
    forged: &str,
    sign: impl Fn(&str) -> Option<String>,
) {
    let stamp = SystemClock.now().timestamp().to_string();
    let signed = sign(&stamp).expect("the secret signs");
    let Some(headers) = headers(id, &stamp, &signed) else {
        return;
    };
    let is_good = |body: &str, headers| judge.verify(body.as_bytes(), headers).is_ok();
    assert!(is_good(body, &headers));
    assert!(!is_good(&format!("{body}."), &headers));
    if let Some(others) = self::headers(id, &stamp, forged) {
        assert_eq!(
            is_good(body, &others),
            forged.split(' ').any(|it| it == signed)
        );
    }
}

/// `None` where a text cannot be read from a header.
fn headers(id: &str, stamp: &str, signature: &str) -> Option<HeaderMap> {
    let value = |text: &str| {
        let value = HeaderValue::from_str(text).ok()?;
        value.to_str().is_ok().then_some(value)
    };
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", value(id)?);
    headers.insert("webhook-timestamp", value(stamp)?);
    headers.insert("webhook-signature", value(signature)?);
    Some(headers)
}
