//! JWT assertions signed with the client's secret (HS256). Keys of other kinds would need a
//! certificate on the registry entry, which this instance has none of.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// What the assertion says.
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) id: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    exp: i64,
    #[serde(default)]
    jti: Option<String>,
}

/// The claims of a valid assertion of `issuer`, without any allowance for clock skew.
pub(super) fn verify(
    assertion: &str,
    secret: &str,
    issuer: &str,
    now: DateTime<Utc>,
) -> Option<Claims> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header: Header = decode(header)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    mac.verify_slice(&signature).ok()?;
    let payload: Payload = decode(payload)?;
    let valid = header.alg == "HS256" && payload.iss == issuer && now.timestamp() < payload.exp;
    valid.then(|| Claims {
        subject: payload.sub,
        id: payload.jti.unwrap_or_else(|| signed.to_owned()),
    })
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
