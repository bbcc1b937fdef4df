//! Where a callback goes: the request's own address where its host is permitted, else the source's.

use reqwest::Url;
use shared::config::SourceSettings;
use shared::request::Request;

use crate::outcome::Outcome;

/// The address; `None` when the source takes no callbacks. What was permitted at intake is looked at again: the configuration may
/// have changed since.
pub(super) fn of(request: &Request, source: &SourceSettings) -> Result<Option<Url>, Outcome> {
    let own = request.asked.callback_url.as_deref();
    let text = own.unwrap_or(&source.callback_url);
    if text.is_empty() {
        return Ok(None);
    }
    let name = &request.source;
    let url: Url = text.parse().map_err(|error| {
        mend(format!(
            "the callback address is no URL ({error}); correct callback_url of source `{name}`"
        ))
    })?;
    if url.scheme() != "https" && !(source.allow_http && url.scheme() == "http") {
        return Err(mend(format!(
            "the callback address is not https; correct it, or set allow_http of source `{name}`"
        )));
    }
    let host = url.host_str().unwrap_or_default();
    if own.is_some()
        && !source
            .callback_hosts
            .iter()
            .any(|permitted| permitted == host)
    {
        return Err(mend(format!(
            "host `{host}` is not among callback_hosts of source `{name}`; add it there"
        )));
    }
    Ok(Some(url))
}

/// The source is no longer configured.
pub(super) fn gone(source: &str) -> Outcome {
    mend(format!(
        "source `{source}` has left the configuration; put it back and start the worker anew"
    ))
}

/// Callbacks are never sent unsigned.
pub(super) fn unsigned(source: &str) -> Outcome {
    mend(format!(
        "source `{source}` has no usable callback_secret (whsec_…), and callbacks are always signed; set it"
    ))
}

fn mend(reason: String) -> Outcome {
    Outcome::Park {
        scope: None,
        class: "configuration",
        reason,
    }
}
