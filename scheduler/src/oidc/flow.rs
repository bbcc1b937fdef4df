//! What ties the way out to the provider and the way back together: one secret in a cookie, from which all the rest is made.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

use crate::api::ops::cookie;

const SECURE: &str = "__Host-ticketbridge-sign-in";
const PLAIN: &str = "ticketbridge-sign-in";

/// The secret of a sign-in that is under way: 32 random bytes in base64url. State, nonce and the verifier of PKCE are made from it, so that any
/// scheduler can end what another has begun, and only its hash is stored. None of them tells the secret or another of them.
pub(super) struct Flow(String);

impl Flow {
    pub(super) fn new(rng: &mut impl CryptoRng) -> Self {
        Self(cookie::secret(rng))
    }

    /// From the cookies of a call.
    pub(super) fn of(headers: &HeaderMap, is_secure: bool) -> Option<Self> {
        let found = cookie::find(headers, name(is_secure));
        found.filter(|secret| !secret.is_empty()).map(Self)
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    pub(super) fn state(&self) -> String {
        self.derived("state")
    }

    pub(super) fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// 43 characters, as RFC 7636 wants at least.
    pub(super) fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// `S256` of the verifier.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    fn derived(&self, what: &str) -> String {
        let digest = Sha256::new()
            .chain_update("ticketbridge sign-in\0")
            .chain_update(what)
            .chain_update("\0")
            .chain_update(&self.0)
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// The header that gives the cookie to the browser. `Lax`, and not `Strict` as that of a session: the provider's redirect comes from
    /// another site, and with it no browser sends a strict one. It opens nothing by itself.
    pub(super) fn set(&self, is_secure: bool) -> HeaderValue {
        cookie::header(name(is_secure), &self.0, is_secure, "Lax", "; Max-Age=600")
    }
}

/// The header that takes the cookie away.
pub(super) fn remove(is_secure: bool) -> HeaderValue {
    cookie::header(name(is_secure), "", is_secure, "Lax", "; Max-Age=0")
}

fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE } else { PLAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_sign_in_tells_anything_else_of_it() {
        let flow = Flow::new(&mut rand::rng());
        let parts = [
            flow.0.clone(),
            flow.state(),
            flow.nonce(),
            flow.verifier(),
            flow.challenge(),
        ];
        for (place, part) in parts.iter().enumerate() {
            assert_eq!(part.len(), 43);
            assert!(!parts[place + 1..].contains(part));
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
