//! The token endpoint: form bodies only, one answer for nearly every failure (wire contract 10.3).

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::answer::Answer;
use crate::call::Call;
use crate::classify;
use crate::decode::wrong_shape;
use crate::error::Error;
use crate::http::Http;
use crate::kinds::{AuthKind, GarbageKind};
use crate::refused::ApiError;

const PATH: &str = "/oauth_token.do";
/// For an answer that does not say how long its token lives.
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);
/// Longer lives are cut, so that dates cannot overflow.
const LONGEST_LIFE: Duration = Duration::from_hours(366 * 24);

/// What the token endpoint gives.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access_token: SecretString,
    /// Absent for client credentials and public clients.
    pub refresh_token: Option<SecretString>,
    /// The REMAINING life: repeated requests give the same token until it dies.
    pub expires_in: Duration,
    pub scope: Option<String>,
}

/// An authorization code to be exchanged (wire contract 10.4).
#[derive(Debug, Clone)]
pub struct CodeExchange {
    pub client_id: String,
    /// Absent for a public client, which must send the verifier.
    pub client_secret: Option<SecretString>,
    pub code: SecretString,
    /// The one that the code was issued for.
    pub redirect_uri: String,
    /// The PKCE verifier.
    pub code_verifier: Option<SecretString>,
}

impl CodeExchange {
    pub(crate) fn form(&self) -> Vec<(&'static str, &str)> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", self.code.expose_secret()),
            ("redirect_uri", &self.redirect_uri),
        ];
        let secret = self.client_secret.as_ref();
        form.extend(secret.map(|secret| ("client_secret", secret.expose_secret())));
        let verifier = self.code_verifier.as_ref();
        form.extend(verifier.map(|verifier| ("code_verifier", verifier.expose_secret())));
        form
    }

    pub(crate) fn secrets(&self) -> Vec<SecretString> {
        let optional = [&self.client_secret, &self.code_verifier];
        std::iter::once(self.code.clone())
            .chain(optional.into_iter().flatten().cloned())
            .collect()
    }
}

/// Asks for tokens once. Any status but 200 is a failure.
pub(crate) async fn request_tokens(http: &Http, form: &[(&str, &str)]) -> Result<Tokens, Error> {
    let form = Serializer::new(String::new())
        .extend_pairs(form.iter().filter(|(_, value)| !value.is_empty()))
        .finish();
    let answer = http.send(&Call::form(PATH, form), None).await?;
    read(&answer)
}

/// The tokens of an answer, or why there are none.
pub(crate) fn read(answer: &Answer) -> Result<Tokens, Error> {
    if matches!(answer.status(), 400..=403) {
        return Err(refused(answer));
    }
    classify::check(answer)?;
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_invalid| {
        classify::garbage(answer, GarbageKind::Cut, "the token answer is not JSON")
    })?;
    tokens(answer, &body)
}

fn refused(answer: &Answer) -> Error {
    let words = ApiError::from_body(&answer.body).unwrap_or_default();
    Error::Auth {
        kind: AuthKind::Token,
        failure: answer.failure(&words.message, words.detail.as_deref()),
    }
}

fn tokens(answer: &Answer, body: &Value) -> Result<Tokens, Error> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let filled = |key: &str| text(key).filter(|value| !value.is_empty());
    let Some(access_token) = filled("access_token") else {
        return Err(match ApiError::from_json(body) {
            Some(_) => refused(answer),
            None => wrong_shape(answer, "the token answer has no access_token"),
        });
    };
    if let Some(kind) = text("token_type")
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(wrong_shape(answer, "the token is no bearer token"));
    }
    Ok(Tokens {
        access_token: access_token.into(),
        refresh_token: filled("refresh_token").map(Into::into),
        expires_in: life(body.get("expires_in")),
        scope: filled("scope").map(str::to_owned),
    })
}

fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = expires_in.and_then(|value| match value {
        Value::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    });
    seconds.map_or(UNKNOWN_LIFE, |seconds| {
        Duration::try_from_secs_f64(seconds.max(0.0))
            .unwrap_or(LONGEST_LIFE)
            .min(LONGEST_LIFE)
    })
}
