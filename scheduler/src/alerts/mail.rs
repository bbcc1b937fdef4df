//! Sends a message by SMTP: plain text, and nothing when the line is not as private as the configuration wants it.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
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
    let transport = transport(destination, timeout).await?;
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

async fn transport(
    destination: &AlertDestination,
    timeout: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let host = destination.smtp_host.as_str();
    let tls = match destination.tls {
        MailTls::Starttls => Tls::Required(parameters(destination).await?),
        MailTls::Tls => Tls::Wrapper(parameters(destination).await?),
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

/// Whose certificates are believed: the system's authorities, and those of the destination.
async fn parameters(destination: &AlertDestination) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(destination.smtp_host.clone());
    if let Some(file) = &destination.ca_file {
        parameters = parameters.add_root_certificate(authority(file).await?);
    }
    parameters.build().map_err(|error| why(&error))
}

/// Read for each mail, so that a renewed one needs no restart.
async fn authority(file: &Path) -> Result<Certificate, String> {
    let unusable = |why: String| format!("{} (ca_file) {why}", file.display());
    let pem = tokio::fs::read(file).await;
    let pem = pem.map_err(|error| unusable(format!("cannot be read: {error}")))?;
    Certificate::from_pem(&pem).map_err(|error| unusable(format!("does not read: {error}")))
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
