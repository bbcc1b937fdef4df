//! What a run leaves in logs, traces and metrics.

use std::time::Duration;

use chrono::TimeDelta;
use metrics::{counter, gauge, histogram};
use servicenow_client::RateInfo;
use shared::budget::Standing;
use shared::job::Claimed;
use shared::store::attempts::CallRecord;
use shared::store::jobs::Ending;
use shared::telemetry::{continue_trace, names};
use tracing::{Span, debug, field, info, info_span, warn};

/// The span of a run, part of the trace of whoever caused the job.
pub(crate) fn job(job: &Claimed) -> Span {
    let span = info_span!(
        "job",
        job.id = %job.id,
        job.kind = job.kind,
        request.id = job.request_id.map(field::display),
        ticket.number = field::Empty,
        attempt = job.attempts + 1,
    );
    continue_trace(&span, job.traceparent.as_deref());
    span
}

/// Names the ticket in the span of the run.
pub(crate) fn ticket(number: Option<&str>) {
    if let Some(number) = number {
        Span::current().record("ticket.number", number);
    }
}

/// A run has ended.
pub(crate) fn ended(job: &Claimed, ending: &Ending, took: Duration) {
    let (outcome, class) = (word(ending), class(ending));
    let labels = [("kind", job.kind.clone()), ("outcome", outcome.to_owned())];
    counter!(names::JOBS_TOTAL, &labels).increment(1);
    histogram!(names::JOB_DURATION_SECONDS, &labels).record(took.as_secs_f64());
    let labels = [
        ("kind", job.kind.clone()),
        ("class", class.unwrap_or("ok").to_owned()),
    ];
    counter!(names::ATTEMPTS_TOTAL, &labels).increment(1);
    match class {
        None => info!(outcome, "job ended"),
        Some("held" | "throttled") => debug!(outcome, "job put off"),
        Some(class) => warn!(outcome, class, "job ended"),
    }
}

/// The news that a run was to tell its source have been told, or not.
pub(crate) fn told(source: &str, age: TimeDelta, ending: &Ending) {
    let outcome = match ending {
        Ending::Done => "delivered",
        other => word(other),
    };
    let labels = [
        ("source", source.to_owned()),
        ("outcome", outcome.to_owned()),
    ];
    counter!(names::CALLBACKS_TOTAL, &labels).increment(1);
    if matches!(ending, Ending::Done) {
        let age = age.to_std().unwrap_or_default().as_secs_f64();
        histogram!(names::CALLBACK_AGE_SECONDS, "source" => source.to_owned()).record(age);
    }
}

/// What became of the job, which is not always what its handler asked for: the last attempt is `dead`.
pub(crate) fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Retry {
            uses_attempt: true, ..
        } => "retry",
        Ending::Retry { .. } | Ending::PutOff { .. } => "hold",
        Ending::Parked { .. } => "park",
        Ending::Dead { .. } => "dead",
        Ending::Cancelled { .. } => "cancelled",
    }
}

fn class(ending: &Ending) -> Option<&str> {
    match ending {
        Ending::Done | Ending::Cancelled { .. } => None,
        Ending::Retry { class, .. }
        | Ending::PutOff { class, .. }
        | Ending::Parked { class, .. }
        | Ending::Dead { class, .. } => Some(class),
    }
}

/// A call has ended.
pub(crate) fn called(connection: Option<&str>, call: &CallRecord) {
    debug!(
        method = call.method,
        path = call.path,
        status = call.status,
        class = call.class,
        transaction = call.transaction_id,
        ms = call.duration_ms,
        "called"
    );
    // Callbacks are counted by source, where they are sent.
    let Some(connection) = connection.map(str::to_owned) else {
        return;
    };
    let labels = [
        ("connection", connection.clone()),
        ("method", call.method.clone()),
        ("class", call.class.clone()),
    ];
    counter!(names::SERVICENOW_CALLS_TOTAL, &labels).increment(1);
    let seconds = Duration::from_millis(call.duration_ms).as_secs_f64();
    histogram!(names::SERVICENOW_CALL_SECONDS, "connection" => connection).record(seconds);
}

/// What the instance said of its limits.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point; the values are far below 2^52"
)]
pub(crate) fn rate(connection: Option<&str>, rate: &RateInfo) {
    let Some(connection) = connection.map(str::to_owned) else {
        return;
    };
    if let Some(limit) = rate.limit {
        gauge!(names::RATE_LIMIT, "connection" => connection.clone()).set(limit as f64);
    }
    if let Some(reset) = rate.reset {
        gauge!(names::RATE_LIMIT_RESET, "connection" => connection).set(reset.timestamp() as f64);
    }
}

/// What is left of the budgets.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point; the values are far below 2^52"
)]
pub(crate) fn budget(standings: &[Standing]) {
    for it in standings {
        let show = |name: &'static str, value: f64| {
            gauge!(name, "connection" => it.connection.clone()).set(value);
        };
        show(names::IN_FLIGHT_LIMIT, f64::from(it.width));
        show(names::IN_FLIGHT, f64::from(it.under_way));
        // An hour that is over says nothing of the next one.
        let left = it.window.as_ref();
        let left = left.map_or(f64::NAN, |window| window.left as f64);
        show(names::BUDGET_LEFT, left);
        let until = it.throttled.as_ref();
        let until = until.map_or(0, |throttled| throttled.until.timestamp());
        show(names::THROTTLED_UNTIL_SECONDS, until as f64);
    }
}

/// Nobody called a connection for so long.
pub(crate) fn throttled(connection: &str, seconds: u64) {
    counter!(names::THROTTLED_SECONDS_TOTAL, "connection" => connection.to_owned())
        .increment(seconds);
}

/// What is left of a credential, as far as known.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point; the values are far below 2^52"
)]
pub(crate) fn credential_days_left(connection: &str, days: i64) {
    gauge!(names::CREDENTIAL_DAYS_LEFT, "connection" => connection.to_owned()).set(days as f64);
}

/// Log-ins that an instance refused.
pub(crate) fn refused_log_ins(connection: &str, count: u64) {
    counter!(names::CREDENTIAL_REFUSED_TOTAL, "connection" => connection.to_owned())
        .increment(count);
}

/// A create without a clean answer.
pub(crate) fn ambiguous() {
    counter!(names::AMBIGUOUS_CREATES_TOTAL).increment(1);
}

/// A second ticket that was not made, because the first was found.
pub(crate) fn duplicate_suppressed() {
    counter!(names::DUPLICATES_SUPPRESSED_TOTAL).increment(1);
}
