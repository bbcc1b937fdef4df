//! The code of the browser becomes an ID token, by a call to the provider (RFC 6749, 4.1.3).

use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use shared::config::OidcSettings;
use url::form_urlencoded;

use super::id_token::printable;
use super::metadata::Metadata;
use super::refusal::Refusal;
use super::{Provider, TIMEOUT};

const WHAT: &str = "the ID token";

#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Provider {
    /// The ID token that a code stands for; its text proves nothing yet.
    pub(super) async fn id_token(
        &self,
        settings: &OidcSettings,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> Result<String, Refusal> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut call = self.http.post(metadata.token_endpoint.clone());
        match &settings.client_secret {
            Some(secret) if !metadata.wants_secret_in_body() => {
                // Each is encoded before they are put together (RFC 6749, 2.3.1).
                call = call.basic_auth(
                    encoded(&settings.client_id),
                    Some(encoded(secret.expose_secret())),
                );
            }
            secret => {
                form.push(("client_id", &settings.client_id));
                if let Some(secret) = secret {
                    form.push(("client_secret", secret.expose_secret()));
                }
            }
        }
        let unreachable = |source: reqwest::Error| Refusal::Unreachable {
            what: WHAT,
            source: source.without_url(),
        };
        let answer = call.form(&form).timeout(TIMEOUT).send().await;
        let answer = answer.map_err(unreachable)?;
        let (status, failed) = (answer.status(), answer.error_for_status_ref().err());
        let text = answer.text().await.map_err(unreachable)?;
        match (serde_json::from_str::<Answer>(&text), failed) {
            (
                Ok(Answer {
                    error: Some(error),
                    error_description: more,
                    ..
                }),
                _,
            ) => Err(refused(status, &error, more.as_deref())),
            (_, Some(source)) => Err(unreachable(source)),
            (Ok(answer), None) => answer
                .id_token
                .ok_or(Refusal::Malformed("the provider sent none")),
            (Err(source), None) => Err(Refusal::Unreadable { what: WHAT, source }),
        }
    }
}

fn refused(status: StatusCode, error: &str, more: Option<&str>) -> Refusal {
    let told = told(error, more);
    let is_about_us = status == StatusCode::UNAUTHORIZED
        || matches!(error, "invalid_client" | "unauthorized_client");
    if is_about_us {
        Refusal::ClientRefused(told)
    } else {
        Refusal::CodeRefused(told)
    }
}

/// An error of the provider, with what it says about it.
pub(super) fn told(error: &str, more: Option<&str>) -> String {
    let error = printable(error);
    match more.map(|it| printable(it.trim().trim_end_matches('.'))) {
        Some(more) if !more.is_empty() => format!("{error} ({more})"),
        _ => error,
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
