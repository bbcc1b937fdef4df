//! The keys that the provider signs with (RFC 7517), read anew when it has changed them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::Provider;
use super::id_token::Signed;
use super::metadata::Metadata;
use super::refusal::Refusal;

/// Believed for so long: a key that the provider withdraws is not good for longer.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// A token with an unknown key has the keys read again at most once in this time, else anybody could have the provider asked at will.
const REREAD_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What the provider has published.
#[derive(Default)]
pub(super) struct Keys {
    all: Vec<Key>,
    read_at: Option<DateTime<Utc>>,
    reread_at: Option<DateTime<Utc>>,
}

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Provider {
    /// Checks the signature of a token by the published keys.
    pub(super) async fn check_signature(
        &self,
        metadata: &Metadata,
        token: &Signed<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let mut keys = self.keys.lock().await;
        if keys.read_at.is_none_or(|at| now - at >= FRESH) {
            keys.read(self, metadata, now).await?;
        }
        let is_unknown = keys.fitting(token).next().is_none();
        if is_unknown && keys.reread_at.is_none_or(|at| now - at >= REREAD_EVERY) {
            keys.reread_at = Some(now);
            keys.read(self, metadata, now).await?;
        }
        let mut fitting = keys.fitting(token).peekable();
        if fitting.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        if fitting.any(|key| key.has_signed(token)) {
            Ok(())
        } else {
            Err(Refusal::BadSignature)
        }
    }
}

impl Keys {
    /// Whether none of them can be used.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) async fn read(
        &mut self,
        provider: &Provider,
        metadata: &Metadata,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let document: Document = provider
            .read("its keys", metadata.jwks_uri.as_str())
            .await?;
        // Keys of kinds that we do not know may stand among those that we do.
        self.all = document.keys.into_iter().filter_map(Key::of).collect();
        self.read_at = Some(now);
        Ok(())
    }

    /// Those that may have signed it: of its kind, and of its name where it gives one.
    fn fitting(&self, token: &Signed<'_>) -> impl Iterator<Item = &Key> {
        let (kid, is_rsa) = (token.kid.clone(), token.is_rsa);
        self.all.iter().filter(move |key| {
            let is_named = kid.is_none() || key.kid == kid;
            is_named && matches!(key.material, Material::Rsa { .. }) == is_rsa
        })
    }
}

impl Key {
    fn of(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                modulus: bytes(jwk.n)?,
                exponent: bytes(jwk.e)?,
            },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                // The uncompressed point, SEC 1, 2.3.3.
                Material::P256([&[4], x.as_slice(), &y].concat())
            }
            _ => return None,
        };
        Some(Self {
            kid: jwk.kid,
            material,
        })
    }

    fn has_signed(&self, token: &Signed<'_>) -> bool {
        let (message, signature) = (token.message.as_bytes(), token.signature.as_slice());
        let checked = match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        checked.is_ok()
    }
}
