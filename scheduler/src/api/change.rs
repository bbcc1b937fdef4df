//! Applies what a source says about a request: its state, its ticket's journal, the jobs that carry it over.

use axum::http::HeaderMap;
use chrono::TimeDelta;
use serde_json::Value;
use shared::job::{ForRequest, JobKind, NewJob, Payload};
use shared::request::{Request, RequestState};
use shared::store::audit::{self, Actor, Entry};
use shared::store::idempotency::{self, Remembered};
use shared::store::jobs::{self, Cancel};
use shared::store::notes::{self, Note};
use shared::store::requests::{self, Applied, Change};
use shared::store::{StoreError, new_id, tickets};
use uuid::Uuid;

use super::auth::Caller;
use super::etag::IfMatch;
use super::idempotency_key::IdempotencyKey;
use super::mastery::{Effect, effect};
use super::problem::{FieldError, Problem};
use super::problem_kind::Kind;
use super::show_request::unknown_request;
use super::status_change::{StatusChange, Word};
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
        let found = requests::find_of_source(&work.tx, self.source, self.id).await?;
        let request = found.ok_or_else(|| unknown_request(&self.id.to_string()))?;
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
            Effect::Tell | Effect::Comment => {
                self.note_deed(scheduler, work, &request).await?;
                (request, false)
            }
        };
        let noted = self.insert_notes(scheduler, work, &request, effect).await?;
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

    async fn insert_notes(
        &self,
        scheduler: &Scheduler,
        work: &Work,
        request: &Request,
        effect: Effect,
    ) -> Result<bool, StoreError> {
        let told = matches!(effect, Effect::Tell | Effect::Extend).then(|| (self.told(), false));
        let comment = self
            .change
            .comment
            .clone()
            .map(|comment| (comment, self.change.visible));
        let mut created_at = scheduler.now();
        let mut noted = false;
        for (text, visible) in told.into_iter().chain(comment) {
            let id = new_id(created_at);
            let note = Note {
                id,
                request_id: request.id,
                author: self.author().to_owned(),
                text,
                visible,
                marker: format!("[{} {}]", scheduler.settings.bridge_name, id.simple()),
                first_sent_at: None,
                sent_at: None,
                created_at,
            };
            notes::insert(&work.tx, &note).await?;
            // Notes are written in the order of this time; ids of one millisecond are random.
            created_at += TimeDelta::microseconds(1);
            noted = true;
        }
        Ok(noted)
    }

    /// The work note for a decision that the ticket does not follow by itself.
    fn told(&self) -> String {
        let what = match self.change.valid_until {
            Some(until) => format!(
                "Validity extended until {}",
                until.format("%Y-%m-%d %H:%M UTC")
            ),
            None => "Approved".to_owned(),
        };
        let by = self
            .change
            .actor
            .as_deref()
            .map(|person| format!("by {person} "))
            .unwrap_or_default();
        let why = self
            .change
            .reason
            .as_deref()
            .map(|reason| format!("\nReason: {reason}"))
            .unwrap_or_default();
        format!("{what} {by}in {}.{why}", self.source)
    }

    fn author(&self) -> &str {
        self.change.actor.as_deref().unwrap_or(self.source)
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

/// What the change does, if the source may say it and the request has not ended.
fn allowed(
    scheduler: &Scheduler,
    request: &Request,
    change: &StatusChange,
) -> Result<Effect, Problem> {
    // A route that has left the configuration keeps the default: ServiceNow decides.
    let mastery = scheduler
        .routes
        .by_name(&request.route)
        .map(|route| route.mastery)
        .unwrap_or_default();
    let effect = effect(mastery, change.status)
        .ok_or_else(|| owned_by_servicenow(request, change.status))?;
    let stays = matches!(effect, Effect::Move(state) if state == request.state);
    if request.state.is_final() && !stays {
        let detail = format!(
            "The request ended as {}; ended requests are not changed. Ask again under a new external_id.",
            request.state
        );
        return Err(Problem::new(Kind::RequestEnded, detail));
    }
    if effect == Effect::Extend {
        check_extension(scheduler, request, change)?;
    }
    Ok(effect)
}

fn owned_by_servicenow(request: &Request, word: Word) -> Problem {
    let detail = format!(
        "Route `{}` has mastery `servicenow`: the ticket decides when the request is {}. Work on the ticket instead; or \
         send approved, extended, comment or withdrawn; or set `mastery = \"source\"` in the route.",
        request.route,
        word.as_str()
    );
    Problem::new(Kind::OwnedByServicenow, detail)
}

fn check_extension(
    scheduler: &Scheduler,
    request: &Request,
    change: &StatusChange,
) -> Result<(), Problem> {
    let Some(until) = change.valid_until else {
        return Ok(());
    };
    let earliest = [
        Some(scheduler.now()),
        request.asked.valid_from,
        request.asked.valid_until,
    ];
    let too_early = earliest
        .into_iter()
        .flatten()
        .max()
        .filter(|earliest| until < *earliest);
    too_early.map_or(Ok(()), |earliest| {
        let problem = format!("is before {}", earliest.to_rfc3339());
        let fix =
            "send a later time; an extension never ends before now, valid_from or the end so far";
        Err(Problem::of_fields(vec![FieldError::new(
            "/valid_until",
            problem,
            fix,
        )]))
    })
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
