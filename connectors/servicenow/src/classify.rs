//! From an HTTP answer to an error class: status first, shape of the body second, texts last (wire contract 2.8).

use crate::answer::Answer;
use crate::error::Error;
use crate::kinds::{AuthKind, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind, MaybeKind};
use crate::markup::{html_kind, is_login_redirect, title};
use crate::meta::until;
use crate::refused::ApiError;

/// The success test of wire contract 2.9 up to the parsing of the body, which [`crate::decode`] does.
pub(crate) fn check(answer: &Answer) -> Result<(), Error> {
    match answer.status() {
        202 => Err(garbage(
            answer,
            GarbageKind::Accepted202,
            "the request was thrown away",
        )),
        200 | 201 => check_success(answer),
        204 => Ok(()),
        300..=399 => Err(redirect(answer)),
        status if status < 300 => Err(garbage(
            answer,
            GarbageKind::WrongShape,
            "this status is none of a successful API call",
        )),
        _ => Err(refusal(answer)),
    }
}

pub(crate) fn garbage(answer: &Answer, kind: GarbageKind, message: &str) -> Error {
    Error::Garbage {
        kind,
        failure: answer.failure(message, None),
    }
}

fn check_success(answer: &Answer) -> Result<(), Error> {
    if answer.looks_like_html() {
        let kind = html_kind(&answer.body);
        return Err(garbage(
            answer,
            GarbageKind::Html(kind),
            &page_message(answer, kind),
        ));
    }
    if answer.is_cut {
        return Err(garbage(
            answer,
            GarbageKind::Cut,
            "the connection ended in the middle of the body",
        ));
    }
    if answer.body.trim_ascii().is_empty() {
        return Err(garbage(
            answer,
            GarbageKind::WrongShape,
            "the body is empty",
        ));
    }
    if !answer.has_json_type() {
        return Err(garbage(
            answer,
            GarbageKind::WrongShape,
            "the content type is not JSON",
        ));
    }
    Ok(())
}

fn redirect(answer: &Answer) -> Error {
    let location = answer.location().unwrap_or_default();
    if is_login_redirect(location) {
        let kind = GarbageKind::Html(HtmlKind::Login);
        return garbage(answer, kind, "redirected to a log-in page");
    }
    garbage(answer, GarbageKind::Redirect, "redirected")
}

/// Every status from 400 on.
fn refusal(answer: &Answer) -> Error {
    let api_error = ApiError::from_body(&answer.body);
    let failure = match &api_error {
        Some(error) => answer.failure(&error.message, error.detail.as_deref()),
        None => answer.failure(&title(&answer.body), None),
    };
    let invalid = |kind, failure| Error::Invalid { kind, failure };
    // Why a call was refused stands in the body: half of one says nothing, least of all that the configuration is broken.
    if answer.is_cut && api_error.is_none() && matches!(answer.status(), 400 | 403 | 404) {
        return Error::Garbage {
            kind: GarbageKind::Cut,
            failure,
        };
    }
    match answer.status() {
        401 => Error::Auth {
            kind: auth_kind(answer),
            failure,
        },
        403 => Error::Forbidden {
            kind: api_error.map_or(ForbiddenKind::Other, |error| error.forbidden_kind()),
            failure,
        },
        404 if names_no_path(api_error.as_ref()) => Error::NotFound { failure },
        // Without an error body, or for an unknown path, nothing is known about the record.
        404 => invalid(InvalidKind::Path, failure),
        405 | 406 | 415 => invalid(InvalidKind::Protocol, failure),
        413 | 414 | 431 => invalid(InvalidKind::TooLong, failure),
        429 => too_many(answer, api_error.is_some(), failure),
        502..=504 => Error::Busy {
            retry_after: failure.retry_after,
            failure,
        },
        408 | 499 | 500.. => Error::Maybe {
            kind: MaybeKind::ServerError,
            failure,
        },
        _ => {
            let table = answer.table.as_deref();
            let kind = api_error.map_or(InvalidKind::Request, |error| error.invalid_kind(table));
            invalid(kind, failure)
        }
    }
}

fn names_no_path(error: Option<&ApiError>) -> bool {
    error.is_some_and(|error| !error.is_unknown_path())
}

fn auth_kind(answer: &Answer) -> AuthKind {
    if answer.asks_for_second_factor() {
        AuthKind::SecondFactor
    } else {
        AuthKind::Rejected
    }
}

/// A rate-limit rule sends headers and JSON, an overflowing semaphore queue neither (wire contract 0.12).
fn too_many(answer: &Answer, has_json: bool, mut failure: Box<crate::Failure>) -> Error {
    let is_rule = has_json || answer.retry_after.is_some() || answer.meta.rate.is_present();
    if !is_rule {
        return Error::Busy {
            retry_after: None,
            failure,
        };
    }
    let until_reset = answer
        .meta
        .rate
        .reset
        .zip(answer.meta.server_date)
        .map(|(reset, now)| until(reset, now));
    failure.retry_after = answer.retry_after.or(until_reset);
    Error::RateLimited {
        retry_after: failure.retry_after,
        failure,
    }
}

fn page_message(answer: &Answer, kind: HtmlKind) -> String {
    let what = match kind {
        HtmlKind::Hibernating => "the hibernation page came",
        HtmlKind::Login => "a log-in page came",
        HtmlKind::Offline => "the offline page came",
        HtmlKind::Other => "a web page came",
    };
    match title(&answer.body) {
        title if title.is_empty() => what.to_owned(),
        title => format!("{what}: {title}"),
    }
}
