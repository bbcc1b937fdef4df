//! Makes texts of a server fit to be shown: bounded, on one line, without secrets and query values.

use std::sync::{Arc, RwLock};

use secrecy::{ExposeSecret, SecretString};

const MAX_CHARACTERS: usize = 300;
/// Shorter secrets are not cut out: they would blank ordinary words.
const MIN_SECRET_BYTES: usize = 4;

/// Cuts the secrets of one client out of texts.
#[derive(Clone)]
pub(crate) struct Redactor {
    fixed: Arc<Vec<SecretString>>,
    current: Arc<RwLock<Vec<SecretString>>>,
}

impl Redactor {
    pub(crate) fn new(secrets: Vec<SecretString>) -> Self {
        Self {
            fixed: Arc::new(secrets),
            current: Arc::default(),
        }
    }

    /// Replaces the secrets that change over time (tokens).
    pub(crate) fn set_current(&self, secrets: Vec<SecretString>) {
        *self
            .current
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = secrets;
    }

    /// Adds one until the next [`set_current`](Self::set_current).
    pub(crate) fn also(&self, secret: SecretString) {
        self.current
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(secret);
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let current = self
            .current
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut result = text.to_owned();
        for secret in self.fixed.iter().chain(current.iter()) {
            let secret = secret.expose_secret();
            if secret.len() >= MIN_SECRET_BYTES && result.contains(secret) {
                result = result.replace(secret, "[redacted]");
            }
        }
        result
    }
}

/// One line of at most 300 characters, without the query part of URLs in it.
pub(crate) fn clean(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .map(without_query)
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Cuts `?sysparm_query=…` off a word that looks like a URL or path.
fn without_query(word: &str) -> &str {
    match word.split_once('?') {
        Some((path, query)) if path.contains('/') && query.contains('=') => path,
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_bounded_line_without_queries() {
        assert_eq!(
            clean("no such:\r\n /api/now/x?sysparm_query=email=ann@example.com here"),
            "no such: /api/now/x here"
        );
        let long = clean(&"ä".repeat(1000));
        assert_eq!(long.chars().count(), MAX_CHARACTERS + 1);
        assert_eq!(clean("Really? yes=no"), "Really? yes=no");
    }

    #[test]
    fn secrets_are_cut_out() {
        let redactor = Redactor::new(vec!["hunter22".into(), "x".into()]);
        redactor.set_current(vec!["token-1".into()]);
        assert_eq!(
            redactor.apply("x hunter22 token-1 token-2"),
            "x [redacted] [redacted] token-2"
        );
        redactor.set_current(vec!["token-2".into()]);
        assert_eq!(redactor.apply("token-1 token-2"), "token-1 [redacted]");
    }
}
