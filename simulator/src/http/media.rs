//! `Accept` and `Content-Type` (wire contract 1.2).

use super::call::Call;
use crate::refusal::Refusal;

/// # Errors
/// 406 for an `Accept` without JSON, 400 for one that is no media type, and for bodies 400
/// without a `Content-Type` and 415 for one that is not JSON. Attachments carry any type.
pub(crate) fn check(call: &Call) -> Result<(), Refusal> {
    accepts_json(call)?;
    let has_body =
        matches!(call.method.as_str(), "POST" | "PUT" | "PATCH") && !call.body.is_empty();
    if !has_body || call.path.contains("/attachment/") {
        return Ok(());
    }
    match call.media_type("content-type").as_deref() {
        None => Err(Refusal::BadRequest {
            message: "Content-Type header is missing".to_owned(),
            detail: "A request with a body needs a Content-Type".to_owned(),
        }),
        Some("application/json") => Ok(()),
        Some(_) => Err(Refusal::UnsupportedMediaType),
    }
}

fn accepts_json(call: &Call) -> Result<(), Refusal> {
    let Some(accept) = call
        .header("accept")
        .filter(|accept| !accept.trim().is_empty())
    else {
        return Ok(());
    };
    if call.path.ends_with("/file") {
        return Ok(());
    }
    let kinds: Vec<&str> = accept
        .split(',')
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .collect();
    if kinds.iter().any(|kind| !kind.contains('/') && *kind != "*") {
        let message = format!("Invalid Accept header {accept}");
        return Err(Refusal::BadRequest {
            message,
            detail: String::new(),
        });
    }
    let json = kinds.iter().any(|kind| {
        matches!(
            *kind,
            "application/json" | "*/*" | "application/*" | "*" | "text/json"
        )
    });
    if json {
        Ok(())
    } else {
        Err(Refusal::NotAcceptable)
    }
}
