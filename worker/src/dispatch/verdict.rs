//! From what a handler says to what is stored: the one place that asks `shared::retry`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::job::{Claimed, JobKind};
use shared::retry::{Attempted, Next, RetryPolicy};
use shared::store::attempts::NewAttempt;
use shared::store::jobs::Ending;

use super::claim::Work;
use super::death;
use crate::context::Context;
use crate::effects::Effects;
use crate::outcome::{Finished, Outcome, Scope};
use crate::run::Run;
use crate::trace;

/// First and longest time that a broken configuration is left alone; a log-in is tried rarely, or the account is locked.
const PARKED: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));

/// Everything the closing transaction of a run writes.
pub(crate) struct Closing {
    pub(super) job: Claimed,
    pub(super) ending: Ending,
    pub(super) attempt: Option<NewAttempt>,
    pub(super) effects: Effects,
    pub(super) circuits: Vec<CircuitMove>,
}

/// What a run says about a circuit.
pub(crate) enum CircuitMove {
    /// Nobody calls until then.
    Open {
        name: String,
        class: &'static str,
        reason: String,
        until: DateTime<Utc>,
    },
    /// The job that went first got through.
    Close { name: String },
}

/// Decides what is stored.
pub(super) fn conclude(ctx: &Context, work: &Work, finished: Finished, run: &Run<'_>) -> Closing {
    let now = ctx.clock.now();
    let Finished {
        outcome,
        mut effects,
    } = finished;
    let ending = ending(ctx, &work.job, &outcome, now);
    if let Ending::Dead { reason, class } = &ending {
        death::mourn(&work.job, class, reason, &mut effects);
    }
    if let Outcome::Park { reason, .. } = &outcome {
        death::parked(&work.job, reason, &mut effects);
    }
    Closing {
        attempt: attempt(work, &outcome, &ending, run, now),
        circuits: circuit_moves(work, &outcome, run, now),
        job: work.job.clone(),
        ending,
        effects,
    }
}

fn ending(ctx: &Context, job: &Claimed, outcome: &Outcome, now: DateTime<Utc>) -> Ending {
    match outcome {
        Outcome::Done => Ending::Done,
        Outcome::Retry {
            class,
            after,
            message,
        } => retry(ctx, job, class, *after, message.clone(), now),
        // A circuit turned it away, as far as is known before it did anything.
        Outcome::Hold {
            scope: None,
            until,
            class,
            message,
        } => Ending::PutOff {
            due_at: *until + spread(job),
            class: (*class).to_owned(),
            message: message.clone(),
        },
        Outcome::Hold {
            scope: Some(_),
            until,
            class,
            message,
        } => Ending::Retry {
            due_at: *until + spread(job),
            class: (*class).to_owned(),
            message: message.clone(),
            uses_attempt: false,
        },
        Outcome::Park { class, reason, .. } => Ending::Parked {
            reason: reason.clone(),
            class: (*class).to_owned(),
        },
        Outcome::Dead { class, reason } => Ending::Dead {
            reason: reason.clone(),
            class: (*class).to_owned(),
        },
    }
}

/// A failed attempt that may be repeated, as the policy of its kind sees it.
pub(super) fn retry(
    ctx: &Context,
    job: &Claimed,
    class: &str,
    after: Option<Duration>,
    message: String,
    now: DateTime<Utc>,
) -> Ending {
    let attempted = Attempted {
        attempts: u32::try_from(job.attempts).unwrap_or(0) + 1,
        first_started_at: job.first_started_at,
        now,
        at_least: after,
        jitter: jitter(job),
    };
    match policy(ctx, job).after(attempted) {
        Next::Due(due_at) => Ending::Retry {
            due_at,
            class: class.to_owned(),
            message,
            uses_attempt: true,
        },
        Next::Dead(why) => Ending::Dead {
            reason: format!("{message}; {why}"),
            class: class.to_owned(),
        },
    }
}

fn policy(ctx: &Context, job: &Claimed) -> RetryPolicy {
    match job.kind.parse() {
        Ok(JobKind::DeliverCallback) => ctx.settings.callbacks.policy(),
        _ => ctx.settings.retry.policy(),
    }
}

/// A number in 0..=1 that differs between jobs and between attempts: the random part of the job's id.
fn jitter(job: &Claimed) -> f64 {
    let (_, random) = job.id.as_u64_pair();
    let turned = random.rotate_left(job.attempts.unsigned_abs() % 64);
    let top = u32::try_from(turned >> 32).unwrap_or(u32::MAX);
    f64::from(top) / f64::from(u32::MAX)
}

/// Jobs that were held together do not come back in the same instant.
fn spread(job: &Claimed) -> TimeDelta {
    #[expect(clippy::cast_possible_truncation, reason = "0 to 1000 milliseconds")]
    let millis = (jitter(job) * 1000.0) as i64;
    TimeDelta::milliseconds(millis)
}

/// Jobs that a circuit turned away leave no row: they made no attempt.
fn attempt(
    work: &Work,
    outcome: &Outcome,
    ending: &Ending,
    run: &Run<'_>,
    now: DateTime<Utc>,
) -> Option<NewAttempt> {
    let calls = run.calls();
    if matches!(outcome, Outcome::Hold { scope: None, .. }) && calls.is_empty() {
        return None;
    }
    let decisive = calls.last();
    Some(NewAttempt {
        job_id: work.job.id,
        request_id: work.job.request_id,
        number: work.job.attempts + 1,
        token: work.job.lease.token,
        worker: work.job.lease.owner.clone(),
        started_at: run.started_at,
        finished_at: now,
        outcome: trace::word(ending).to_owned(),
        class: outcome.class().map(str::to_owned),
        http_status: decisive.and_then(|call| call.status),
        transaction_id: decisive.and_then(|call| call.transaction_id.clone()),
        message: outcome.message().map(str::to_owned),
        calls,
    })
}

fn circuit_moves(
    work: &Work,
    outcome: &Outcome,
    run: &Run<'_>,
    now: DateTime<Utc>,
) -> Vec<CircuitMove> {
    let connection = work.job.connection.as_deref().unwrap_or_default();
    let (scope, class, reason, until) = match outcome {
        Outcome::Hold {
            scope: Some(scope),
            until,
            class,
            message,
        } => (scope, *class, message.clone(), *until),
        Outcome::Park {
            scope: Some(scope),
            class,
            reason,
        } => (
            scope,
            *class,
            reason.clone(),
            parked_until(run, connection, scope, now),
        ),
        // Whoever went first and met neither a full instance nor a broken configuration has got through.
        Outcome::Done | Outcome::Retry { .. } | Outcome::Dead { .. } => {
            return run
                .probes()
                .into_iter()
                .map(|name| CircuitMove::Close { name })
                .collect();
        }
        Outcome::Hold { scope: None, .. } | Outcome::Park { scope: None, .. } => return Vec::new(),
    };
    vec![CircuitMove::Open {
        name: scope.circuit(connection),
        class,
        reason,
        until,
    }]
}

fn parked_until(
    run: &Run<'_>,
    connection: &str,
    scope: &Scope,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    now + run.back_off(&scope.circuit(connection), PARKED.0, PARKED.1)
}
