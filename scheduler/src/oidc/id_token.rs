//! An ID token: a signed text (RFC 7515) whose claims must be about this sign-in (OpenID Connect Core 1.0, 3.1.3.7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// How far clocks may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// A token whose signature nobody has looked at yet.
pub(super) struct Signed<'a> {
    /// What was signed.
    pub(super) message: &'a str,
    pub(super) signature: Vec<u8>,
    pub(super) kid: Option<String>,
    /// RS256; otherwise ES256.
    pub(super) is_rsa: bool,
    payload: &'a str,
}

/// What a token must be about.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

impl<'a> Signed<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let (message, signature) = token
            .rsplit_once('.')
            .ok_or(Refusal::Malformed("it has no signature"))?;
        let (header, payload) = message
            .split_once('.')
            .ok_or(Refusal::Malformed("it has no payload"))?;
        let header: Header = decode(header).ok_or(Refusal::Malformed("its header"))?;
        // Only these: neither `none` nor HS256, which would make a secret of a public key.
        let is_rsa = match header.alg.as_str() {
            "RS256" => true,
            "ES256" => false,
            _ => return Err(Refusal::Algorithm(header.alg.chars().take(20).collect())),
        };
        Ok(Self {
            message,
            signature: URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| Refusal::Malformed("its signature"))?,
            kid: header.kid,
            is_rsa,
            payload,
        })
    }

    /// The claims, when they are about this sign-in. Look at the signature first.
    pub(super) fn claims(&self, expected: &Expected<'_>) -> Result<Map<String, Value>, Refusal> {
        let claims: Map<String, Value> =
            decode(self.payload).ok_or(Refusal::Malformed("its payload"))?;
        check_parties(&claims, expected)?;
        check_times(&claims, expected.now)?;
        if claims.get("nonce").and_then(Value::as_str) != Some(expected.nonce) {
            return Err(Refusal::Nonce);
        }
        Ok(claims)
    }
}

fn check_parties(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Refusal> {
    let refuse = |claim, expected: &str| {
        let found = claims
            .get(claim)
            .map_or_else(|| "missing".to_owned(), |it| format!("`{}`", shown(it)));
        let expected = expected.to_owned();
        Err(Refusal::NotForUs {
            claim,
            found,
            expected,
        })
    };
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return refuse("iss", expected.issuer);
    }
    let client = expected.client_id;
    let (is_for_us, is_for_others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == client, false),
        Some(Value::Array(all)) => (all.iter().any(|it| it == client), all.len() > 1),
        _ => (false, false),
    };
    if !is_for_us {
        return refuse("aud", client);
    }
    match claims.get("azp") {
        None if !is_for_others => Ok(()),
        Some(party) if party == client => Ok(()),
        _ => refuse("azp", client),
    }
}

fn check_times(claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), Refusal> {
    let clock = |claim| Refusal::Clock {
        claim,
        stamp: moment(claims, claim).map_or_else(
            || "missing".to_owned(),
            |it| it.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ),
        now,
    };
    if moment(claims, "exp").is_none_or(|end| end + SKEW <= now) {
        return Err(clock("exp"));
    }
    if moment(claims, "iat").is_none_or(|made| made - SKEW > now) {
        return Err(clock("iat"));
    }
    if claims.contains_key("nbf") && moment(claims, "nbf").is_none_or(|from| from - SKEW > now) {
        return Err(clock("nbf"));
    }
    Ok(())
}

/// A number of seconds, which may have a fraction.
fn moment(claims: &Map<String, Value>, claim: &str) -> Option<DateTime<Utc>> {
    let number = claims.get(claim)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction of a second decides nothing, and what is out of range becomes the end of it"
    )]
    let seconds = number
        .as_i64()
        .or_else(|| number.as_f64().map(|it| it as i64))?;
    DateTime::from_timestamp(seconds, 0)
}

/// A value as it is shown to people: bounded, for the provider chooses it.
pub(super) fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    printable(&text)
}

/// A text of somebody else as it is shown to people.
pub(super) fn printable(text: &str) -> String {
    let is_printable = |c: &char| !c.is_control();
    text.chars().filter(is_printable).take(200).collect()
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    fn checked(claims: &Value) -> Result<Map<String, Value>, String> {
        let token = token(&json!({"alg": "RS256"}), claims);
        let expected = Expected {
            issuer: "https://id.example.com",
            client_id: "bridge",
            nonce: "n",
            now: now(),
        };
        let signed = Signed::parse(&token).map_err(|it| it.to_string())?;
        signed.claims(&expected).map_err(|it| it.to_string())
    }

    fn good() -> Value {
        let seconds = now().timestamp();
        json!({"iss": "https://id.example.com", "aud": "bridge", "nonce": "n", "exp": seconds + 300, "iat": seconds - 1, "sub": "7"})
    }

    #[test]
    fn only_two_algorithms_are_taken() {
        for alg in ["none", "HS256", "RS512", "ES384", "PS256", ""] {
            let token = token(&json!({ "alg": alg }), &good());
            assert!(
                matches!(Signed::parse(&token), Err(Refusal::Algorithm(_))),
                "{alg}"
            );
        }
        for text in ["", "a.b", "a.b.c", "..", "e30.e30.!"] {
            assert!(
                matches!(Signed::parse(text), Err(Refusal::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_token_must_be_about_this_sign_in() {
        assert_eq!(checked(&good()).unwrap()["sub"], "7");
        let seconds = now().timestamp();
        let changes = [
            ("iss", json!("https://id.example.com/")),
            ("iss", Value::Null),
            ("aud", json!("other")),
            ("aud", json!(["bridge", "other"])),
            ("aud", json!([])),
            ("azp", json!("other")),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
            ("exp", json!(seconds - 60)),
            ("exp", json!("never")),
            ("iat", json!(seconds + 61)),
            ("nbf", json!(seconds + 61)),
            ("nbf", json!("soon")),
        ];
        let mut told = Vec::new();
        for (claim, value) in changes {
            let mut claims = good();
            claims[claim] = value;
            told.push(checked(&claims).unwrap_err());
        }
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn clocks_may_be_a_little_apart_and_audiences_may_be_lists() {
        let seconds = now().timestamp();
        for (claim, value) in [
            ("exp", json!(seconds - 59)),
            ("iat", json!(seconds + 60)),
            ("exp", json!(1_900_000_100.5)),
            ("aud", json!(["bridge"])),
            ("azp", json!("bridge")),
        ] {
            let mut claims = good();
            claims[claim] = value;
            assert!(checked(&claims).is_ok(), "{claim}");
        }
    }
}
