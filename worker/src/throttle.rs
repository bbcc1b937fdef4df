//! Each call to an instance asks the shared budget first, and tells it what the answer said (ARCHITECTURE.md, "Budget").

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use servicenow_client::{
    Ended, Error, Held, MaybeKind, Outgoing, Pending, Permit, RateInfo, Throttle,
};
use shared::budget::{Budget, BudgetPermit, Call, Class, Report, Throttled, Verdict};
use shared::clock::SharedClock;

use crate::fault;
use crate::lease::LeaseWatch;

/// An answer that took longer says that the instance has more to do than it can: simple calls take less than a second (wire
/// contract 11.3).
const SLOW: Duration = Duration::from_secs(10);

/// What the throttles of a process share.
#[derive(Clone)]
pub(crate) struct Gatehouse {
    pub(crate) budget: Arc<Budget>,
    pub(crate) clock: SharedClock,
    pub(crate) lease: Arc<LeaseWatch>,
    /// What must be left of the lease for a write.
    pub(crate) margin: Duration,
}

/// The throttle of one connection and class.
pub(crate) struct ClassThrottle {
    pub(crate) house: Gatehouse,
    pub(crate) connection: String,
    pub(crate) class: Class,
}

struct ClassPermit {
    permit: BudgetPermit,
    resource: String,
    clock: SharedClock,
}

impl Throttle for ClassThrottle {
    fn admit(&self, outgoing: Outgoing) -> Pending<'_, Result<Box<dyn Permit>, Held>> {
        Box::pin(async move {
            let permit = self.take(outgoing).await?;
            Ok(Box::new(permit) as Box<dyn Permit>)
        })
    }
}

impl ClassThrottle {
    async fn take(&self, outgoing: Outgoing) -> Result<ClassPermit, Held> {
        let house = &self.house;
        let call = Call {
            class: self.class,
            resource: outgoing.resource.clone(),
        };
        let owner = house.lease.owner();
        let permit = house.budget.take(&self.connection, call).await;
        let permit = permit.map_err(|Throttled { until, reason }| Held { until, reason })?;
        // The wait for the permit was taken out of the lease, and may have outlasted it.
        if outgoing.writes && !house.lease.enough_left(&owner, house.margin) {
            return Err(Held {
                until: house.clock.now(),
                reason: "too little was left of the lease to write".to_owned(),
            });
        }
        Ok(ClassPermit {
            permit,
            resource: outgoing.resource,
            clock: Arc::clone(&house.clock),
        })
    }
}

impl Permit for ClassPermit {
    fn ended(self: Box<Self>, ended: Ended<'_>) -> Pending<'static, ()> {
        let report = report(&self.resource, ended, self.clock.now());
        Box::pin(self.permit.report(report))
    }
}

fn report(resource: &str, ended: Ended<'_>, now: DateTime<Utc>) -> Report {
    let (rate, server_date) = match ended {
        Ended::Answered(meta) => (Some(&meta.rate), meta.server_date),
        Ended::Failed(error) => {
            let failure = error.failure();
            let date = failure.and_then(|it| it.server_date);
            (failure.map(|it| &it.rate), date)
        }
    };
    let mut report = Report::other(resource);
    if let Some(rate) = rate {
        measure(&mut report, rate, server_date, now);
    }
    (report.verdict, report.quiet_ms) = match ended {
        Ended::Answered(meta) => (timed(meta.duration), 0),
        Ended::Failed(error) => judged(error, &report, now),
    };
    report
}

/// The moment of reset is the server's: it is measured from the server's own time where that is known.
fn measure(
    report: &mut Report,
    rate: &RateInfo,
    server_date: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let ours = |reset: DateTime<Utc>| match server_date {
        Some(date) => now + (reset - date),
        None => reset,
    };
    report.rule = match (&rate.rule, rate.limit) {
        (Some(rule), _) => rule.clone(),
        // A gateway with one limit for all.
        (None, Some(_)) => "-".to_owned(),
        (None, None) => String::new(),
    };
    report.limit = rate.limit.map_or(0, count);
    report.remaining = rate.remaining.map_or(-1, count);
    report.reset = rate.reset.map_or(0, |reset| ours(reset).timestamp_millis());
}

fn judged(error: &Error, report: &Report, now: DateTime<Utc>) -> (Verdict, i64) {
    match error {
        Error::RateLimited { retry_after, .. } => {
            let to_reset = TimeDelta::milliseconds(report.reset - now.timestamp_millis()).to_std();
            let known = retry_after.or(to_reset.ok().filter(|_| report.reset > 0));
            (Verdict::RateLimited, quiet(known, fault::RATE_LIMITED))
        }
        Error::Busy { retry_after, .. } => (Verdict::Busy, quiet(*retry_after, fault::AWAY.0)),
        Error::Maybe {
            kind: MaybeKind::Timeout,
            ..
        } => (Verdict::Slow, 0),
        error => match error.failure() {
            Some(failure) if failure.status.is_some_and(|status| status < 500) => {
                (timed(failure.duration), 0)
            }
            _ => (Verdict::Other, 0),
        },
    }
}

fn timed(duration: Duration) -> Verdict {
    if duration >= SLOW {
        Verdict::Slow
    } else {
        Verdict::Ok
    }
}

fn quiet(asked: Option<Duration>, otherwise: Duration) -> i64 {
    i64::try_from(asked.unwrap_or(otherwise).as_millis()).unwrap_or(i64::MAX / 2)
}
