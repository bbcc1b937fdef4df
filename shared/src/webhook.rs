//! What is posted to others: signed as Standard Webhooks, never redirected, and told without the address, which may hold a secret.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};

mod retry_after;
mod sign;

pub use retry_after::parse as retry_after;
pub use sign::v1 as sign;

/// The client: no redirects, for they would lead past what was permitted; no cookies.
pub fn client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("ticketbridge/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Why nobody answered: the chain of causes, without the address.
pub fn unreachable(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What to add to the status of an answer that leads elsewhere.
pub fn redirected(status: StatusCode) -> &'static str {
    if status.is_redirection() {
        "; redirects are not followed, name the final address"
    } else {
        ""
    }
}
