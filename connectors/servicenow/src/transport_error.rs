//! From an error of the HTTP library to a class: was the request certainly not sent, or may it have arrived?

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Effect};
use crate::config_error::ConfigError;
use crate::error::Error;
use crate::failure::Failure;
use crate::kinds::{ConnectKind, MaybeKind};

pub(crate) fn transport_error(call: &Call, error: reqwest::Error, duration: Duration) -> Error {
    // URLs hold queries, and queries may hold personal data.
    let error = error.without_url();
    if error.is_builder() {
        return Error::Config(ConfigError::Http {
            reason: error.to_string(),
        });
    }
    let connect = error.is_connect().then(|| connect_kind(&error));
    let timed_out = error.is_timeout();
    let mut failure = Failure::unanswered(
        call.method.as_str(),
        &call.path,
        message(connect, timed_out),
    );
    failure.detail = innermost(&error);
    failure.duration = duration;
    failure.could_write = call.effect == Effect::Write;
    failure.source = Some(Arc::new(error));
    let failure = Box::new(failure);
    match connect {
        Some(kind) => Error::Connect { kind, failure },
        None if timed_out => Error::Maybe {
            kind: MaybeKind::Timeout,
            failure,
        },
        None => Error::Maybe {
            kind: MaybeKind::ConnectionLost,
            failure,
        },
    }
}

fn message(connect: Option<ConnectKind>, timed_out: bool) -> &'static str {
    match connect {
        Some(ConnectKind::Dns) => "the host name cannot be resolved",
        Some(ConnectKind::Refused) => "the connection was refused",
        Some(ConnectKind::Tls) => "the TLS handshake failed",
        Some(ConnectKind::Timeout) => "no connection came about in time",
        Some(ConnectKind::Other) => "no connection came about",
        None if timed_out => "no answer came in time",
        None => "the connection was lost before the answer",
    }
}

fn connect_kind(error: &reqwest::Error) -> ConnectKind {
    if error.is_dns() {
        return ConnectKind::Dns;
    }
    let known = causes(error).find_map(cause_kind);
    known.unwrap_or(if error.is_timeout() {
        ConnectKind::Timeout
    } else {
        ConnectKind::Other
    })
}

fn cause_kind(cause: &(dyn StdError + 'static)) -> Option<ConnectKind> {
    if cause.is::<rustls::Error>() {
        return Some(ConnectKind::Tls);
    }
    if cause.is::<rustls::pki_types::InvalidDnsNameError>() {
        return Some(ConnectKind::Dns);
    }
    let cause = cause.downcast_ref::<io::Error>()?;
    // What an I/O error wraps is not its source, so that the chain of causes leaves it out.
    if let Some(kind) = cause.get_ref().and_then(|inner| cause_kind(inner)) {
        return Some(kind);
    }
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => Some(ConnectKind::Refused),
        // Before a request is sent, only a handshake reads.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Some(ConnectKind::Tls),
        _ => None,
    }
}

/// The cause at the end of the chain, which says most.
fn innermost(error: &reqwest::Error) -> Option<String> {
    causes(error)
        .last()
        .map(|cause| crate::redact::clean(&cause.to_string()))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
