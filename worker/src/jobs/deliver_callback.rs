//! `deliver_callback.v1`: tells the source the newest state of a request, signed as Standard Webhooks.
//!
//! Older states are never sent: whoever hears `fulfilled` needs no `open` any more. The attempts of the job are the delivery log.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode, Url};
use shared::config::SourceSettings;
use shared::crash::{Point, in_flight, reach};
use shared::event::RequestEvent;
use shared::request::Request;
use shared::store::attempts::CallRecord;
use shared::store::{audit, requests, tickets};
use shared::telemetry::current_traceparent;
use shared::webhook;
use uuid::Uuid;

use crate::attention::Attention;
use crate::effects::{Effects, Subject, Wish};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::{News, Run, millis};

mod target;

pub(super) async fn run(run: &Run<'_>, request_id: Uuid) -> Ran {
    let conn = run.ctx.store.conn();
    let Some(request) = requests::find(conn, request_id).await? else {
        return Ok(Finished::default());
    };
    let ticket = tickets::of_request(conn, request_id).await?;
    let Some(source) = run.ctx.settings.sources.get(&request.source) else {
        return Err(target::gone(&request.source).into());
    };
    let Some(url) = target::of(&request, source)? else {
        return Ok(Finished::default());
    };
    if only_news_is_that_nobody_listens(run, &request).await? {
        return Ok(Finished::default());
    }
    let event = RequestEvent::of(&request, ticket.as_ref(), None);
    let answer = post(run, &request, source, url, &event).await?;
    // Counted when it is known what becomes of the job: the last attempt is its death.
    run.tell(News {
        source: request.source.clone(),
        since: request.updated_at,
    });
    judge(run, &answer)?;
    Ok(Finished::done(heard(&request)))
}

/// The flag that a callback is dead is a change of its own; telling it to the endpoint that does not listen is of no use. A job that
/// ran before is another: somebody has revived it, because the endpoint listens again.
async fn only_news_is_that_nobody_listens(run: &Run<'_>, request: &Request) -> Ran<bool> {
    if run.job.lease.token > 1 || !Attention::NotTold("").wrote(request.attention.as_deref()) {
        return Ok(false);
    }
    let entries = audit::of_request(run.ctx.store.conn(), request.id).await?;
    Ok(entries
        .last()
        .is_some_and(|entry| entry.action == Wish::CALLBACK_DEAD))
}

/// The source listens again.
fn heard(request: &Request) -> Effects {
    if !Attention::NotTold("").wrote(request.attention.as_deref()) {
        return Effects::default();
    }
    let wish = Wish::of(request.id, "callback.delivered").lower_if(true);
    Effects::of(Subject {
        wish: Some(wish),
        ..Subject::default()
    })
}

/// What came back.
enum Answer {
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    None {
        why: String,
    },
}

async fn post(
    run: &Run<'_>,
    request: &Request,
    source: &SourceSettings,
    url: Url,
    event: &RequestEvent,
) -> Ran<Answer> {
    let body = serde_json::to_vec(event)
        .map_err(|error| Outcome::dead("broken", format!("the event has no JSON form: {error}")))?;
    let id = format!("msg_{}_{}", request.id.simple(), request.version);
    let timestamp = run.now().timestamp().to_string();
    let secret = source
        .callback_secret
        .as_ref()
        .ok_or_else(|| target::unsigned(&request.source))?;
    let signature = webhook::sign(secret, &id, &timestamp, &body)
        .ok_or_else(|| target::unsigned(&request.source))?;
    // Only the origin is kept: a path or query may be a secret of the receiver.
    let origin = url.origin().ascii_serialization();
    let mut call = run
        .ctx
        .http
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(body);
    if let Some(traceparent) = current_traceparent() {
        call = call.header("traceparent", traceparent);
    }
    let began = Instant::now();
    reach(Point::CallbackReady).await;
    let answer = match in_flight(Point::CallbackSent, call.send()).await {
        Ok(response) => answered(run, &response),
        Err(error) => Answer::None {
            why: webhook::unreachable(error),
        },
    };
    run.record(record(&origin, &answer, began.elapsed()));
    reach(Point::CallbackAnswered).await;
    Ok(answer)
}

fn answered(run: &Run<'_>, response: &Response) -> Answer {
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| webhook::retry_after(value, run.now()));
    Answer::Status {
        status: response.status(),
        retry_after,
    }
}

fn record(origin: &str, answer: &Answer, took: Duration) -> CallRecord {
    let (status, class) = match answer {
        Answer::Status { status, .. } if status.is_success() => (Some(status.as_u16()), "ok"),
        Answer::Status { status, .. } => (Some(status.as_u16()), "refused"),
        Answer::None { .. } => (None, "unreachable"),
    };
    CallRecord {
        method: "POST".to_owned(),
        path: origin.to_owned(),
        status,
        class: class.to_owned(),
        transaction_id: None,
        duration_ms: millis(took),
    }
}

/// Any 2xx is heard; 410 asks never to be called again; everything else is tried again on schedule.
fn judge(run: &Run<'_>, answer: &Answer) -> Result<(), Outcome> {
    match answer {
        Answer::Status { status, .. } if status.is_success() => Ok(()),
        Answer::Status { status, .. } if *status == StatusCode::GONE => Err(Outcome::dead(
            "gone",
            "the callback endpoint answered 410 Gone; correct callback_url of the source, then let the job run again",
        )),
        Answer::Status {
            status,
            retry_after,
        } => Err(Outcome::Retry {
            class: "callback_refused",
            after: *retry_after,
            message: format!(
                "the callback endpoint answered {status}{}",
                webhook::redirected(*status)
            ),
        }),
        Answer::None { why } => Err(Outcome::Retry {
            class: "callback_unreachable",
            after: None,
            message: format!(
                "the callback endpoint did not answer within {} s: {why}",
                run.ctx.settings.callbacks.timeout().as_secs()
            ),
        }),
    }
}
