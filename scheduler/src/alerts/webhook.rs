//! Posts a message, signed as callbacks are, and never to another address than that of the configuration.

use chrono::{DateTime, Utc};
use reqwest::{Client, Response};
use secrecy::ExposeSecret as _;
use shared::config::AlertDestination;
use shared::webhook;

use super::Letter;

/// So many characters of an answer are kept: receivers say in a few words what they did not like.
const WORDS: usize = 200;

pub(super) async fn post(
    http: &Client,
    destination: &AlertDestination,
    letter: &Letter<'_>,
    now: DateTime<Utc>,
) -> Result<String, String> {
    let url = destination.url.as_ref().ok_or("its url is not set")?;
    let body = letter.body.to_string().into_bytes();
    let timestamp = now.timestamp().to_string();
    let mut call = http
        .post(url.expose_secret())
        .header("content-type", "application/json")
        .header("webhook-id", &letter.id)
        .header("webhook-timestamp", &timestamp);
    if let Some(secret) = &destination.secret {
        let signature = webhook::sign(secret, &letter.id, &timestamp, &body);
        call = call.header(
            "webhook-signature",
            signature.ok_or("its secret signs nothing")?,
        );
    }
    let response = call
        .body(body)
        .send()
        .await
        .map_err(|error| format!("it does not answer: {}", webhook::unreachable(error)))?;
    let status = response.status();
    let said = words(response).await;
    let answer = format!("{status}{}{said}", webhook::redirected(status));
    if status.is_success() {
        Ok(answer)
    } else {
        Err(format!("it answered {answer}"))
    }
}

/// The first words of the answer. No more of it is read than came with the first bytes.
async fn words(mut response: Response) -> String {
    let bytes = response.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = plain.take(WORDS).collect();
    match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}
