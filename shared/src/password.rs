//! Passwords of operators: argon2id with the parameters that its authors recommend; only the PHC string is stored.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use rand::CryptoRng;
use secrecy::{ExposeSecret as _, SecretString};

/// Shorter ones are refused; what a password is made of is left to people (NIST SP 800-63B).
pub const SHORTEST: usize = 12;
/// Longer ones are refused, so that nobody keeps the processor busy with them.
pub const LONGEST: usize = 256;

/// A password that will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Its length.
    #[error(
        "a password has {SHORTEST} to {LONGEST} characters, this one has {0}; choose another, a sentence will do"
    )]
    Length(usize),
    /// What argon2 says.
    #[error("the password could not be hashed: {0}")]
    Unhashed(String),
}

/// What is stored of a password.
pub fn hash(password: &SecretString, rng: &mut impl CryptoRng) -> Result<String, BadPassword> {
    let text = password.expose_secret();
    let length = text.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(BadPassword::Length(length));
    }
    let mut salt = [0_u8; 16];
    rng.fill_bytes(&mut salt);
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(text.as_bytes(), &salt)
        .map_err(|error| BadPassword::Unhashed(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `stored` was made of. Takes tens of milliseconds: keep it off the runtime's threads.
pub fn verify(password: &SecretString, stored: &str) -> bool {
    let text = password.expose_secret();
    if text.chars().count() > LONGEST {
        return false;
    }
    PasswordHash::new(stored).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(text.as_bytes(), &hash)
            .is_ok()
    })
}

/// A hash that no password fits, so that a name that nobody has takes as long as one that somebody has.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dGlja2V0YnJpZGdlLm5vLm9uZQ$Mz0Wm2O8xJbq2mQxv1T1v2y3Yl1pG0cJx4G4yqv0F1s";

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let password = secret("a plainly fictional sentence");
        let stored = hash(&password, &mut rand::rng()).unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert!(verify(&password, &stored));
        assert!(!verify(&secret("another fictional sentence"), &stored));
        assert_ne!(hash(&password, &mut rand::rng()).unwrap(), stored, "salted");
    }

    #[test]
    fn nothing_fits_what_is_no_hash_or_nobodys() {
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "it must cost as much as a real one"
        );
        for stored in ["", "plain", NOBODY] {
            assert!(!verify(&secret("a plainly fictional sentence"), stored));
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for (text, length) in [("short".to_owned(), 5), ("x".repeat(257), 257)] {
            let refused = hash(&secret(&text), &mut rand::rng()).unwrap_err();
            assert_eq!(refused, BadPassword::Length(length));
        }
    }
}
