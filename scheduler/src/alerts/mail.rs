//! Sends a message by SMTP: plain text, and nothing when the line is not as private as the configuration wants it.

use std::error::Error as _;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use shared::config::{AlertDestination, MailTls};

use super::Letter;

pub(super) async fn send(
    destination: &AlertDestination,
    letter: &Letter<'_>,
    timeout: Duration,
) -> Result<String, String> {
    let message = message(destination, letter)?;
    let transport = transport(destination, timeout)?;
    let response = transport.send(message).await.map_err(|error| why(&error))?;
    let said = response.first_line().unwrap_or_default();
    Ok(format!("{} {said}", response.code()))
}

fn message(destination: &AlertDestination, letter: &Letter<'_>) -> Result<Message, String> {
    let mut builder = Message::builder()
        .from(mailbox(&destination.from)?)
        .message_id(Some(format!("<{}@{}>", letter.id, destination.smtp_host)))
        .subject(letter.subject)
        .header(ContentType::TEXT_PLAIN);
    for address in &destination.to {
        builder = builder.to(mailbox(address)?);
    }
    let text = letter.body["text"].as_str().unwrap_or_default();
    builder
        .body(text.to_owned())
        .map_err(|error| format!("it cannot be written as a mail: {error}"))
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    address
        .parse()
        .map_err(|error| format!("`{address}` is not an address: {error}"))
}

fn transport(
    destination: &AlertDestination,
    timeout: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let host = destination.smtp_host.as_str();
    let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| why(&error));
    let tls = match destination.tls {
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
        MailTls::None => Tls::None,
    };
    // Dangerous is only that it begins without TLS; the line above says what it must have.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(destination.smtp_port)
        .tls(tls)
        .timeout(Some(timeout));
    if let Some(password) = &destination.password {
        let (user, password) = (&destination.user, password.expose_secret());
        builder = builder.credentials(Credentials::new(user.clone(), password.to_owned()));
    }
    Ok(builder.build())
}

/// What the server said, or the chain of causes.
fn why(error: &smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    match error.status() {
        Some(_) => format!("the mail server refused it: {text}"),
        None => format!("it could not be handed to the mail server: {text}"),
    }
}
