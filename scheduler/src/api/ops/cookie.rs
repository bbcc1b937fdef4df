//! The cookie of a session, and the word against forged forms that belongs to it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

/// Browsers keep the prefix to a secure cookie of this host for all its paths. Without TLS they would not take it at all.
const SECURE: &str = "__Host-ticketbridge";
const PLAIN: &str = "ticketbridge";

/// The secret of a session: the text of its cookie.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionSecret(String);

impl SessionSecret {
    /// 32 random bytes.
    pub(crate) fn new(rng: &mut impl CryptoRng) -> Self {
        Self(secret(rng))
    }

    /// From the cookies of a call.
    pub(crate) fn of(headers: &HeaderMap, is_secure: bool) -> Option<Self> {
        find(headers, name(is_secure)).map(Self)
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// What a form of this session must bring along. Made from the secret, so that nothing more is to be stored; the secret cannot be
    /// made from it.
    pub(crate) fn csrf(&self) -> String {
        let digest = Sha256::new()
            .chain_update("ticketbridge form\0")
            .chain_update(&self.0)
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// The header that gives the cookie to the browser for as long as the browser runs; the session itself ends in the database.
    pub(crate) fn set(&self, is_secure: bool) -> HeaderValue {
        header(name(is_secure), &self.0, is_secure, "Strict", "")
    }
}

/// The value of a cookie of a call.
pub(crate) fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

/// The header that takes the cookie away.
pub(crate) fn remove(is_secure: bool) -> HeaderValue {
    header(name(is_secure), "", is_secure, "Strict", "; Max-Age=0")
}

/// 32 random bytes in base64url.
pub(crate) fn secret(rng: &mut impl CryptoRng) -> String {
    let mut bytes = [0_u8; 32];
    rng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The header of a cookie that no script reads. `value` is a [`secret`] or empty.
pub(crate) fn header(
    name: &str,
    value: &str,
    is_secure: bool,
    same_site: &str,
    more: &str,
) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{more}");
    // A secret is base64, so this holds.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE } else { PLAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_again_and_only_under_its_name() {
        let secret = SessionSecret::new(&mut rand::rng());
        for is_secure in [true, false] {
            let set = secret.set(is_secure);
            let text = set.to_str().unwrap();
            assert!(text.contains("; HttpOnly; SameSite=Strict"), "{text}");
            assert_eq!(text.contains("; Secure"), is_secure);
            let pair = text.split(';').next().unwrap();
            let mut headers = HeaderMap::new();
            let cookies = format!("theme=dark; {pair}");
            headers.insert(COOKIE, HeaderValue::from_str(&cookies).unwrap());
            assert!(SessionSecret::of(&headers, is_secure) == Some(secret.clone()));
            assert!(SessionSecret::of(&headers, !is_secure).is_none());
        }
    }

    #[test]
    fn a_form_of_one_session_does_not_fit_another() {
        let secret = SessionSecret::new(&mut rand::rng());
        let other = SessionSecret::new(&mut rand::rng());
        assert_eq!(secret.csrf(), secret.csrf());
        assert_ne!(secret.csrf(), other.csrf());
        assert_ne!(secret.csrf().as_bytes(), secret.hash());
    }
}
