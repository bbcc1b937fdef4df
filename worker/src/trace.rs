//! What a run leaves in logs, traces and metrics.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use servicenow_client::RateInfo;
use shared::budget::Standing;
use shared::job::Claimed;
use shared::store::attempts::CallRecord;
use shared::telemetry::{continue_trace, names};
use tracing::{Span, debug, field, info, info_span, warn};

use crate::outcome::Outcome;

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
pub(crate) fn ended(job: &Claimed, outcome: &Outcome, took: Duration) {
    let labels = [
        ("kind", job.kind.clone()),
        ("outcome", outcome.word().to_owned()),
    ];
    counter!(names::JOBS_TOTAL, &labels).increment(1);
    histogram!(names::JOB_DURATION_SECONDS, &labels).record(took.as_secs_f64());
    let (outcome, class) = (outcome.word(), outcome.class());
    match class {
        None => info!(outcome, "job ended"),
        Some("held" | "throttled") => debug!(outcome, "job put off"),
        Some(class) => warn!(outcome, class, "job ended"),
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
        if let Some(window) = &it.window {
            show(names::BUDGET_LEFT, window.left as f64);
        }
        let until = it.throttled.as_ref();
        let until = until.map_or(0, |throttled| throttled.until.timestamp());
        show(names::THROTTLED_UNTIL_SECONDS, until as f64);
    }
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
