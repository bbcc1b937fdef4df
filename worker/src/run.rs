//! One run of one job: what a handler may ask of its surroundings.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use servicenow_client::{CallMeta, Error, Failure, Reply};
use shared::job::{Claimed, NewJob};
use shared::store::attempts::CallRecord;
use shared::store::circuits::Circuit;
use uuid::Uuid;

use crate::context::Context;
use crate::dispatch::{Pass, pass};
use crate::follow;
use crate::outcome::{Outcome, Ran, Scope};

/// One run of one job.
pub(crate) struct Run<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) job: &'a Claimed,
    /// The circuits as they stood at the claim.
    pub(crate) circuits: &'a [Circuit],
    pub(crate) started_at: DateTime<Utc>,
    calls: Mutex<Vec<CallRecord>>,
    probes: Mutex<Vec<String>>,
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

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        lock(&self.calls).clone()
    }

    /// Makes a call that changes nothing, and keeps what is known of it.
    pub(crate) async fn read<T>(
        &self,
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Result<Reply<T>, Error> {
        let result = call.await;
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
        result
    }

    /// Makes a call that changes something, if enough is left of the lease to be still its owner when the answer is in
    /// (ARCHITECTURE.md, invariant 4). `Err` of the outer result: nothing was sent.
    pub(crate) async fn write<T>(
        &self,
        call: impl Future<Output = Result<Reply<T>, Error>>,
    ) -> Ran<Result<Reply<T>, Error>> {
        if !self
            .ctx
            .lease
            .enough_left(self.ctx.settings.worker.write_margin())
        {
            let message = "too little was left of the lease to write; nothing was sent";
            return Err(Outcome::retry("lease", message).into());
        }
        Ok(self.read(call).await)
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

fn answered(meta: &CallMeta) -> CallRecord {
    CallRecord {
        method: meta.method.clone(),
        path: meta.path.clone(),
        status: Some(meta.status),
        class: "ok".to_owned(),
        transaction_id: meta.transaction_id.clone(),
        duration_ms: millis(meta.duration),
    }
}

fn failed(error: &Error, failure: &Failure) -> CallRecord {
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
    // Only pushes and clones happen under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
