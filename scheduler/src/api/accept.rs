//! Takes a request in: request, planned ticket, job, audit entry and event in one transaction.

use chrono::{DateTime, Utc};
use metrics::counter;
use shared::job::{ForRequest, NewJob, Payload};
use shared::request::{Asked, Request};
use shared::route::Route;
use shared::store::idempotency::{self, Remembered};
use shared::store::requests::{self, Draft, Inserted, NewRequest};
use shared::store::tickets::{self, NewTicket};
use shared::store::{StoreError, Tx};
use shared::telemetry::names;
use shared::ticket::{TicketKind, chosen_sys_id};
use uuid::Uuid;

use super::admission::Admission;
use super::difference::differences;
use super::idempotency_key::IdempotencyKey;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::transaction::{Deed, Unfinished, Work};
use crate::Scheduler;

/// A request that is stored now.
pub(crate) struct Taken {
    pub(crate) request: Request,
    /// Whether this call has stored it, and not an equal one before.
    pub(crate) is_new: bool,
}

/// Counts what became of a call, or of an item of a batch.
pub(crate) fn count(source: &str, result: &Result<Taken, Problem>) {
    let result = match result {
        Ok(taken) if taken.is_new => "accepted",
        Ok(_) => "repeated",
        Err(_) => "refused",
    };
    counter!(names::REQUESTS_TOTAL, "source" => source.to_owned(), "result" => result).increment(1);
}

/// Takes a request in, or finds what an equal call has taken in before.
pub(crate) async fn accept(
    scheduler: &Scheduler,
    source: &str,
    asked: &Asked,
    key: Option<&IdempotencyKey>,
) -> Result<Taken, Problem> {
    if let Some(taken) = take_in_at_once(scheduler, source, asked, key).await? {
        return Ok(taken);
    }
    // A repeated call is answered before anything is checked again: routes, switches and the clock may have moved on,
    // what was promised has not.
    let (before, admission) = tokio::try_join!(
        requests::by_natural_key(scheduler.store.conn(), source, &asked.external_id),
        Admission::read(scheduler, source),
    )?;
    let call = match before {
        Some(request) => Call::Repeated(Box::new(request)),
        None => Call::New(admission.route(asked, "")?),
    };
    scheduler
        .carry_out(&Accept {
            source,
            asked,
            key,
            call,
        })
        .await
}

/// The usual case, a new request for a route that is on, in one statement where the database can. `None`: it is to be looked at more
/// closely, and nothing is stored.
async fn take_in_at_once(
    scheduler: &Scheduler,
    source: &str,
    asked: &Asked,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Taken>, Problem> {
    if key.is_some() || !scheduler.store.is_postgres() {
        return Ok(None);
    }
    let Ok(route) = Admission::but_for_switches(scheduler, source).route(asked, "") else {
        return Ok(None);
    };
    let now = scheduler.now();
    let draft = Draft::new(&new_request(scheduler, source, asked, route), now)?;
    let ticket = planned_ticket(scheduler, route, &draft.request);
    let job = create_job(route, &draft.request, now);
    let has_room = scheduler
        .lanes
        .admit(&job.lane(), job.connection.as_deref());
    let conn = scheduler.store.conn();
    let queued = match requests::take_in(conn, &draft, &ticket, (job, has_room), now).await {
        Err(StoreError::Raced(_) | StoreError::Conflict { .. }) | Ok(None) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(Some(queued)) => queued,
    };
    scheduler.announce(&[queued], !has_room).await;
    Ok(Some(Taken {
        request: draft.request,
        is_new: true,
    }))
}

/// One request to be taken in.
struct Accept<'a> {
    source: &'a str,
    asked: &'a Asked,
    key: Option<&'a IdempotencyKey>,
    call: Call<'a>,
}

enum Call<'a> {
    New(&'a Route),
    Repeated(Box<Request>),
}

impl Deed for Accept<'_> {
    type Done = Taken;

    async fn run(&self, scheduler: &Scheduler, work: &mut Work) -> Result<Taken, Unfinished> {
        let taken = match &self.call {
            Call::New(route) => take_in(scheduler, work, self.source, self.asked, route).await?,
            Call::Repeated(request) => {
                let original = asked_originally(&work.tx, request.id).await?;
                same_or_conflict((**request).clone(), &original, self.asked)?
            }
        };
        if let Some(key) = self.key {
            remember(scheduler, &work.tx, self, key, &taken.request).await?;
        }
        Ok(taken)
    }
}

/// Inserts a request with all that belongs to it, or finds the one that another call has just inserted.
async fn take_in(
    scheduler: &Scheduler,
    work: &mut Work,
    source: &str,
    asked: &Asked,
    route: &Route,
) -> Result<Taken, Unfinished> {
    let now = scheduler.now();
    let new = new_request(scheduler, source, asked, route);
    let request = match requests::insert(&work.tx, &new, now).await? {
        Inserted::New(request) => request,
        Inserted::Existing(request, original) => {
            return Ok(same_or_conflict(request, &original, asked)?);
        }
    };
    tickets::insert(&work.tx, &planned_ticket(scheduler, route, &request), now).await?;
    work.insert_job(scheduler, &create_job(route, &request, now), now)
        .await?;
    Ok(Taken {
        request,
        is_new: true,
    })
}

pub(crate) fn new_request(
    scheduler: &Scheduler,
    source: &str,
    asked: &Asked,
    route: &Route,
) -> NewRequest {
    let settings = scheduler.settings.sources.get(source);
    NewRequest {
        source: source.to_owned(),
        route: route.name.clone(),
        asked: asked.clone(),
        has_callback: asked.callback_url.is_some()
            || settings.is_some_and(|it| !it.callback_url.is_empty()),
        actor: source.to_owned(),
    }
}

pub(crate) fn planned_ticket(scheduler: &Scheduler, route: &Route, request: &Request) -> NewTicket {
    let sys_id = match &route.kind {
        TicketKind::Table(table) => Some(chosen_sys_id(
            &scheduler.settings.bridge_name,
            request.id,
            table,
        )),
        // The instance chooses the ids of what an order makes; the order is found by its correlation id.
        TicketKind::CatalogItem(_) => None,
    };
    NewTicket {
        request_id: request.id,
        connection: route.connection.clone(),
        kind: route.kind.clone(),
        sys_id,
        correlation_id: request.id.to_string(),
    }
}

pub(crate) fn create_job(route: &Route, request: &Request, now: DateTime<Utc>) -> NewJob {
    NewJob {
        payload: Payload::CreateTicket(ForRequest {
            request_id: request.id,
        }),
        connection: Some(route.connection.clone()),
        request_id: Some(request.id),
        priority: i16::from(request.asked.priority),
        due_at: now,
        dedup_key: Some(format!("create:{}", request.id)),
        traceparent: shared::telemetry::current_traceparent(),
    }
}

async fn asked_originally(tx: &Tx, id: Uuid) -> Result<Asked, StoreError> {
    requests::asked_originally(tx, id).await?.ok_or_else(|| {
        StoreError::Corrupt(format!("request {id} is named elsewhere, but is not there"))
    })
}

pub(crate) fn same_or_conflict(
    request: Request,
    original: &Asked,
    asked: &Asked,
) -> Result<Taken, Problem> {
    let differences = differences(original, asked);
    if differences.is_empty() {
        return Ok(Taken {
            request,
            is_new: false,
        });
    }
    let detail = format!(
        "`{}` was taken in before, as request {}, with another body; nothing was changed. Send a new external_id for a \
         new request, or use POST /v1/requests/{}/status to change this one.",
        request.asked.external_id, request.id, request.id
    );
    Err(Problem::new(Kind::Conflict, detail).with_differences(differences))
}

async fn remember(
    scheduler: &Scheduler,
    tx: &Tx,
    call: &Accept<'_>,
    key: &IdempotencyKey,
    request: &Request,
) -> Result<(), Unfinished> {
    let now = scheduler.now();
    match idempotency::remember(tx, call.source, &key.key, &key.fingerprint, request.id, now)
        .await?
    {
        Remembered::New | Remembered::Same(_) => Ok(()),
        Remembered::Different(first) => {
            let original = asked_originally(tx, first).await?;
            let detail = format!(
                "The Idempotency-Key was used before for another call, about request {first}; nothing was stored. Send a \
                 new key."
            );
            Err(Problem::new(Kind::Conflict, detail)
                .with_differences(differences(&original, call.asked))
                .into())
        }
    }
}
