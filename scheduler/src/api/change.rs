//! Applies what a source says about a request: its state, its ticket's journal, the jobs that carry it over.

use axum::http::HeaderMap;
use serde_json::Value;
use shared::job::{ForRequest, JobKind, NewJob, Payload};
use shared::request::{Request, RequestState};
use shared::store::audit::{self, Actor, Entry};
use shared::store::idempotency::{self, Remembered};
use shared::store::jobs::{self, Cancel};
use shared::store::requests::{self, Applied, Change};
use shared::store::{StoreError, tickets};
use uuid::Uuid;

use super::auth::Caller;
use super::change_notes::insert_notes;
use super::change_rules::allowed;
use super::etag::IfMatch;
use super::idempotency_key::IdempotencyKey;
use super::mastery::Effect;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::show_request::unknown_request;
use super::status_change::StatusChange;
use super::transaction::{Deed, Unfinished, Work};
use crate::Scheduler;

/// A change that a source asks for, and under which conditions.
pub(crate) struct Wanted<'a> {
    source: &'a str,
    id: Uuid,
    change: &'a StatusChange,
    if_match: IfMatch,
    key: Option<IdempotencyKey>,
}

impl<'a> Wanted<'a> {
    /// `operation` and `body` are what an Idempotency-Key stands for.
    pub(crate) fn read(
        caller: &'a Caller,
        id: Uuid,
        change: &'a StatusChange,
        headers: &HeaderMap,
        (operation, body): (&str, &Value),
    ) -> Result<Self, Problem> {
        let key = IdempotencyKey::read(headers, &format!("{operation} {id}"), body)?;
        Ok(Self {
            source: &caller.source,
            id,
            change,
            if_match: IfMatch::read(headers)?,
            key,
        })
    }
}

impl Deed for Wanted<'_> {
    /// The request as it is afterwards.
    type Done = Request;

    async fn run(&self, scheduler: &Scheduler, work: &mut Work) -> Result<Request, Unfinished> {
        let found = requests::hold(&work.tx, self.id).await?;
        let request = found
            .filter(|request| request.source == self.source)
            .ok_or_else(|| unknown_request(&self.id.to_string()))?;
        if self.seen_before(scheduler, work).await? {
            return Ok(request);
        }
        self.if_match.check(request.version)?;
        let effect = allowed(scheduler, &request, self.change)?;
        self.carry_out(scheduler, work, request, effect).await
    }
}

impl Wanted<'_> {
    /// Whether the Idempotency-Key says that this very call was carried out before.
    async fn seen_before(&self, scheduler: &Scheduler, work: &Work) -> Result<bool, Unfinished> {
        let Some(key) = &self.key else {
            return Ok(false);
        };
        let now = scheduler.now();
        match idempotency::remember(
            &work.tx,
            self.source,
            &key.key,
            &key.fingerprint,
            self.id,
            now,
        )
        .await?
        {
            Remembered::New => Ok(false),
            Remembered::Same(_) => Ok(true),
            Remembered::Different(first) => {
                let detail = format!(
                    "The Idempotency-Key was used before for another call, about request {first}; nothing was changed. \
                     Send a new key."
                );
                Err(Problem::new(Kind::Conflict, detail).into())
            }
        }
    }

    async fn carry_out(
        &self,
        scheduler: &Scheduler,
        work: &mut Work,
        request: Request,
        effect: Effect,
    ) -> Result<Request, Unfinished> {
        let (request, moved) = match effect {
            Effect::Move(state) => {
                self.store(scheduler, work, &request, &self.moved(&request, state))
                    .await?
            }
            Effect::Extend => {
                let change = Change {
                    valid_until: self.change.valid_until,
                    ..Change::default()
                };
                self.store(scheduler, work, &request, &change).await?
            }
            Effect::Tell | Effect::Comment => (request, false),
        };
        let noted = insert_notes(scheduler, work, &request, self.change, effect).await?;
        if noted && !moved {
            self.note_deed(scheduler, work, &request).await?;
        }
        let ends = matches!(
            effect,
            Effect::Move(RequestState::Cancelled | RequestState::Denied)
        );
        let never_sent = ends && cancel_create(scheduler, work, &request).await?;
        if (moved || noted) && !never_sent {
            insert_update(scheduler, work, &request).await?;
        }
        Ok(request)
    }

    /// A move brings its own reason, or none; saying the same state again keeps the reason it has.
    fn moved(&self, request: &Request, state: RequestState) -> Change {
        let reason = match &self.change.reason {
            None if request.state == state => None,
            _ if request.state.is_final() => None,
            reason => Some(reason.clone()),
        };
        Change {
            state: Some(state),
            reason,
            ..Change::default()
        }
    }

    /// The request afterwards, and whether anything has changed.
    async fn store(
        &self,
        scheduler: &Scheduler,
        work: &mut Work,
        request: &Request,
        change: &Change,
    ) -> Result<(Request, bool), Unfinished> {
        match requests::apply(
            &work.tx,
            request,
            change,
            &self.actor(),
            &self.action(),
            scheduler.now(),
        )
        .await?
        {
            Applied::Changed(request, callbacks) => {
                work.rung.extend(callbacks);
                Ok((request, true))
            }
            Applied::Unchanged(request) => Ok((request, false)),
            Applied::Stale => Err(Unfinished::Stale),
        }
    }

    /// What leaves the request as it is still belongs into its timeline.
    async fn note_deed(
        &self,
        scheduler: &Scheduler,
        work: &Work,
        request: &Request,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            actor: &self.actor(),
            action: &self.action(),
            subject_kind: "request",
            subject_id: &request.id.to_string(),
            from: None,
            to: None,
            reason: self.change.reason.as_deref(),
            detail: Value::Null,
        };
        audit::append(&work.tx, &entry, scheduler.now()).await
    }

    fn actor(&self) -> Actor {
        Actor::Source(match &self.change.actor {
            Some(person) => format!("{}/{person}", self.source),
            None => self.source.to_owned(),
        })
    }

    fn action(&self) -> String {
        format!("request.{}", self.change.status.as_str())
    }
}

/// Whether the ticket was never asked for, and now never will be. Then nothing that waits to be written to it is needed.
async fn cancel_create(
    scheduler: &Scheduler,
    work: &Work,
    request: &Request,
) -> Result<bool, StoreError> {
    let now = scheduler.now();
    let cancel = jobs::cancel_unstarted(&work.tx, request.id, JobKind::CreateTicket, now).await?;
    if cancel != Cancel::Cancelled {
        return Ok(false);
    }
    jobs::cancel_unstarted(&work.tx, request.id, JobKind::UpdateServicenowStatus, now).await?;
    Ok(true)
}

async fn insert_update(
    scheduler: &Scheduler,
    work: &mut Work,
    request: &Request,
) -> Result<(), StoreError> {
    let Some(ticket) = tickets::of_request(&work.tx, request.id).await? else {
        return Ok(());
    };
    let now = scheduler.now();
    let job = NewJob {
        payload: Payload::UpdateServicenowStatus(ForRequest {
            request_id: request.id,
        }),
        connection: Some(ticket.connection),
        request_id: Some(request.id),
        priority: i16::from(request.asked.priority),
        due_at: now,
        dedup_key: Some(format!("update:{}", request.id)),
        traceparent: shared::telemetry::current_traceparent(),
    };
    work.insert_job(scheduler, &job, now).await
}
