//! One run of one job: what a handler may ask of its surroundings.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use servicenow_client::{CallMeta, Error, Failure, Reply};
use shared::crash::{Point, in_flight, reach};
use shared::job::{Claimed, NewJob};
use shared::store::attempts::CallRecord;
use shared::store::circuits::Circuit;
use uuid::Uuid;

use crate::context::Context;
use crate::dispatch::{Pass, pass};
use crate::follow;
use crate::outcome::{Outcome, Ran, Scope};

/// Where the process may die around a call that changes something.
const WRITE: [Point; 3] = [Point::WriteReady, Point::WriteSent, Point::WriteAnswered];

/// One run of one job.
pub(crate) struct Run<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) job: &'a Claimed,
    /// The circuits as they stood at the claim.
    pub(crate) circuits: &'a [Circuit],
    pub(crate) started_at: DateTime<Utc>,
    calls: Mutex<Vec<CallRecord>>,
    probes: Mutex<Vec<String>>,
    told: Mutex<Option<News>>,
}

/// What a run has tried to tell a source.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// Whom.
    pub(crate) source: String,
    /// When it happened.
    pub(crate) since: DateTime<Utc>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(ctx: &'a Context, job: &'a Claimed, circuits: &'a [Circuit]) -> Self {
        Self {
            ctx,
            job,
            circuits,
            started_at: ctx.clock.now(),
            calls: Mutex::default(),
            probes: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ctx.clock.now()
    }

    /// Whether the circuit of `scope` lets this run through.
    pub(crate) async fn enter(&self, connection: &str, scope: &Scope) -> Ran<()> {
        let name = scope.circuit(connection);
        if let Pass::Probe = pass(self, &name).await? {
            lock(&self.probes).push(name);
        }
        Ok(())
    }

    /// The circuits that this run tries for all others.
    pub(crate) fn probes(&self) -> Vec<String> {
        lock(&self.probes).clone()
    }

    /// Keeps that a source was called with news.
    pub(crate) fn tell(&self, news: News) {
        *lock(&self.told) = Some(news);
    }

    /// What a source was called with.
    pub(crate) fn told(&self) -> Option<News> {
        lock(&self.told).clone()
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        lock(&self.calls).clone()
    }

    /// Makes a call that changes nothing, and keeps what is known of it.
    pub(crate) async fn read<T>(
        &self,
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Result<Reply<T>, Error> {
        let points = [Point::ReadReady, Point::ReadSent, Point::ReadAnswered];
        self.call(points, call).await
    }

    /// `points` are where the process may die: before the call, before its answer is seen, and after it.
    async fn call<T>(
        &self,
        [ready, sent, answered_at]: [Point; 3],
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Result<Reply<T>, Error> {
        reach(ready).await;
        let result = in_flight(sent, call).await;
        match &result {
            Ok(reply) => {
                crate::trace::rate(self.job.connection.as_deref(), &reply.meta.rate);
                self.record(answered(&reply.meta));
            }
            Err(error) => {
                if let Some(failure) = error.failure() {
                    self.record(failed(error, failure));
                }
            }
        }
        reach(answered_at).await;
        result
    }

    /// Makes a call that changes something, if enough is left of the lease to be still its owner when the answer is in
    /// (ARCHITECTURE.md, invariant 4). `Err` of the outer result: nothing was sent.
    pub(crate) async fn write<T>(
        &self,
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Ran<Result<Reply<T>, Error>> {
        self.may_write()?;
        Ok(self.call(WRITE, call).await)
    }

    /// The same for what may not arrive twice: within `limit`, and driven only while the lease is held, so that a process that was
    /// stopped before it had sent sends no more when it wakes. `None`: it was given up, and may have arrived.
    pub(crate) async fn write_once<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Ran<Option<Result<Reply<T>, Error>>> {
        self.may_write()?;
        // On the heap: wrapped as often as this, it would be copied along the whole way up.
        let call = Box::pin(self.call(WRITE, call));
        let held = self.ctx.lease.while_held(&self.job.lease.owner, call);
        Ok(tokio::time::timeout(limit, held).await.ok().flatten())
    }

    /// Whether enough is left of the lease to write.
    pub(crate) fn may_write(&self) -> Ran<()> {
        let margin = self.ctx.settings.worker.write_margin();
        if self.ctx.lease.enough_left(&self.job.lease.owner, margin) {
            return Ok(());
        }
        let message = "too little was left of the lease to write; nothing was sent";
        Err(Outcome::retry("lease", message).into())
    }

    /// The job that brings a ticket after its request, in the trace of this one.
    pub(crate) fn follow(&self, request_id: Uuid) -> NewJob {
        let connection = self.job.connection.as_deref().unwrap_or_default();
        follow::job(
            request_id,
            connection,
            self.job.traceparent.as_deref(),
            self.now(),
        )
    }

    /// Keeps what is known of a call that did not go through [`Run::read`].
    pub(crate) fn record(&self, call: CallRecord) {
        crate::trace::called(self.job.connection.as_deref(), &call);
        lock(&self.calls).push(call);
    }

    /// How long to wait before the circuit `name` is tried again: doubles with each failure in a row.
    pub(crate) fn back_off(&self, name: &str, first: Duration, longest: Duration) -> TimeDelta {
        let failures = self
            .circuits
            .iter()
            .find(|it| it.connection == name)
            .map_or(0, |it| it.failures.unsigned_abs());
        let wait = first
            .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
            .min(longest);
        TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
    }
}

pub(crate) fn answered(meta: &CallMeta) -> CallRecord {
    CallRecord {
        method: meta.method.clone(),
        path: meta.path.clone(),
        status: Some(meta.status),
        class: "ok".to_owned(),
        transaction_id: meta.transaction_id.clone(),
        duration_ms: millis(meta.duration),
    }
}

pub(crate) fn failed(error: &Error, failure: &Failure) -> CallRecord {
    CallRecord {
        method: failure.method.clone(),
        path: failure.path.clone(),
        status: failure.status,
        class: error.class_name().to_owned(),
        transaction_id: failure.transaction_id.clone(),
        duration_ms: millis(failure.duration),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing but moves and clones happens under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
