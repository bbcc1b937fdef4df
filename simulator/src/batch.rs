//! The Batch API, `/api/now/v1/batch` (wire contract 7): several requests in one transaction.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Traits;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::pipeline::Ending;
use crate::http::routes::{self, Api};
use crate::http::{media, spoil};
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::refusal::{QUOTA_MESSAGE, Refusal};

/// `glide.rest.batch.max.inputSize`
const MAX_INPUT: usize = 5 * 1024 * 1024;
/// `glide.rest.batch.max.outputSize`
const MAX_OUTPUT: usize = 10 * 1024 * 1024;

#[derive(Debug, Deserialize)]
struct Batch {
    #[serde(default)]
    batch_request_id: Value,
    rest_requests: Vec<Inner>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    id: Value,
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    /// Base64.
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    exclude_response_headers: bool,
}

#[derive(Debug, Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Works on the inner requests one after another; those that the quota leaves no time to start
/// are named as unserviced. Nothing is undone when one fails.
pub(crate) fn answer(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    if api.call.method != "POST" {
        return Err(Refusal::MethodNotSupported);
    }
    let batch = read(api.call)?;
    let in_time = in_time(api.knobs, batch.rest_requests.len());
    let mut serviced = Vec::new();
    let mut unserviced = Vec::new();
    for (index, inner) in batch.rest_requests.iter().enumerate() {
        if index < in_time {
            serviced.push(serve(api, inner));
        } else {
            unserviced.push(text(&inner.id));
        }
    }
    let document = json!({
        "batch_request_id": text(&batch.batch_request_id),
        "serviced_requests": serviced, "unserviced_requests": unserviced,
    });
    Ok(Answer::json(200, &document))
}

/// How long a batch call takes on the instance's clock: never longer than its quota.
pub(crate) fn span(knobs: &Knobs, call: &Call) -> Duration {
    let count = read(call).map_or(1, |batch| in_time(knobs, batch.rest_requests.len()));
    let whole = Duration::from_millis(knobs.latency_ms)
        .saturating_mul(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
    match knobs.quota_s {
        Some(quota) => whole.min(Duration::from_secs(quota.batch)),
        None => whole,
    }
}

/// How many requests are started before the quota strikes.
fn in_time(knobs: &Knobs, count: usize) -> usize {
    match (knobs.quota_s, knobs.latency_ms) {
        (None, _) | (_, 0) => count,
        (Some(quota), each) => {
            let started = (quota.batch * 1000).div_ceil(each);
            count.min(usize::try_from(started).unwrap_or(usize::MAX))
        }
    }
}

fn read(call: &Call) -> Result<Batch, Refusal> {
    serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::BadBody(format!("The payload is not a batch request: {error}")))
}

fn serve(api: &mut Api<'_>, inner: &Inner) -> Value {
    let answer = match call(inner) {
        Ok(call) => work(api, &call),
        Err(refusal) => refusal.answer(),
    };
    let limit = api.call.header("x-batchrequest-max-output-size");
    let limit = limit
        .and_then(|text| text.parse().ok())
        .unwrap_or(MAX_OUTPUT);
    let (answer, error) = if answer.body.len() > limit.min(MAX_OUTPUT) {
        let detail = "The response exceeds the maximum output size".to_owned();
        (Answer::empty(500), detail)
    } else {
        (answer, String::new())
    };
    let headers = answer
        .headers
        .iter()
        .filter(|_| !inner.exclude_response_headers);
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let status = axum::http::StatusCode::from_u16(answer.status).ok();
    json!({
        "id": text(&inner.id), "status_code": answer.status,
        "status_text": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "execution_time": api.knobs.latency_ms, "body": STANDARD.encode(&answer.body),
        "headers": headers, "error_message": error, "redirect_url": "",
    })
}

/// The request as a call of its own, in the transaction of the batch.
fn call(inner: &Inner) -> Result<Call, Refusal> {
    let body = inner.body.as_deref().unwrap_or_default();
    let body = STANDARD
        .decode(body.trim())
        .map_err(|_| Refusal::BadBody("The body of a batched request is not base64.".to_owned()))?;
    if body.len() + inner.url.len() > MAX_INPUT {
        return Err(Refusal::BadBody(format!(
            "Rejected large REST payload with content-length = {} bytes. Max allowed: {MAX_INPUT} bytes.",
            body.len()
        )));
    }
    let (path, query) = inner.url.split_once('?').unwrap_or((&inner.url, ""));
    if path.ends_with("/batch") {
        return Err(Refusal::NoSuchResource);
    }
    let mut headers = HeaderMap::new();
    for header in &inner.headers {
        let name = HeaderName::try_from(header.name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(header.value.as_str())) {
            headers.append(name, value);
        }
    }
    Ok(Call::new(&inner.method, path, query, headers, body.into()))
}

/// Faults strike inner requests like calls of their own, as far as one connection allows.
fn work(api: &mut Api<'_>, call: &Call) -> Answer {
    let table = call.table();
    let traits = Traits {
        table: table.as_deref(),
        user: Some(&api.actor.user_name),
        method: &call.method,
        path: &call.path,
    };
    let knobs = hold(&api.sim.board).strike(&traits);
    let answer = match media::check(call) {
        Ok(()) => routes::dispatch(api.sim, api.world, &knobs, api.actor, call),
        Err(refusal) => refusal.answer(),
    };
    match spoil::ending(api.sim, &knobs, call, answer) {
        Ending::Answer(answer) => answer,
        Ending::Cut | Ending::CutAt(..) => Answer::error(500, QUOTA_MESSAGE, &Value::Null),
    }
}

/// Ids come back as text, whatever they were sent as.
fn text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
