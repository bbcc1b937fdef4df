use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::report::Section;

/// The most a file with a secret may hold, in bytes: more is some other file.
const LARGEST: usize = 16 * 1024;

/// What to do where a secret that signs is none.
pub(super) const SIGNING_FIX: &str =
    "make one with `openssl rand -base64 32`, and put whsec_ before it";

/// Fills a secret from its `<key>_file`; an empty value counts as not given.
pub(super) fn resolve(
    at: &mut Section<'_>,
    key: &str,
    value: &mut Option<SecretString>,
    file: Option<&Path>,
) {
    if value
        .as_ref()
        .is_some_and(|secret| secret.expose_secret().is_empty())
    {
        *value = None;
    }
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else {
        return;
    };
    let file_key = format!("{key}_file");
    if value.is_some() {
        let problem = format!("the secret is given twice: here and in {}", at.key(key));
        return at.add(
            &file_key,
            problem,
            "keep one of them; environment variables count",
        );
    }
    match read(file) {
        Ok(secret) => *value = Some(secret),
        Err(problem) => {
            at.add(
                &file_key,
                format!("{} {problem}", file.display()),
                "name a readable file that holds the secret and nothing else",
            );
            at.silence(key);
        }
    }
}

/// Checks a secret that messages are signed with (Standard Webhooks).
pub(super) fn check_signing(at: &mut Section<'_>, key: &str, secret: &SecretString) {
    let Some(encoded) = secret.expose_secret().strip_prefix("whsec_") else {
        return at.add(key, "does not start with whsec_", SIGNING_FIX);
    };
    match STANDARD.decode(encoded) {
        Err(_) => at.add(key, "what follows whsec_ is not base64", SIGNING_FIX),
        Ok(bytes) if !(24..=64).contains(&bytes.len()) => {
            let problem = format!("{} bytes; 24 to 64 are needed", bytes.len());
            at.add(key, problem, SIGNING_FIX);
        }
        Ok(_) => {}
    }
}

pub(super) fn read(file: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    // Editors and `echo` close a file with a line end that is no part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("is empty".to_owned());
    }
    if secret.len() > LARGEST || secret.contains('\n') {
        return Err("holds more than one secret: several lines, or more than 16 KiB".to_owned());
    }
    Ok(secret.to_owned().into())
}
