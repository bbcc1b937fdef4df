//! Takes a new request in with all that belongs to it, in one statement: PostgreSQL only.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::insert::{NewRequest, accepted, row_of};
use super::insert_many::{UNLESS_THERE, insertion};
use crate::event::RequestEvent;
use crate::job::NewJob;
use crate::request::Request;
use crate::store::audit::{self, Actor};
use crate::store::entities::requests::Model;
use crate::store::jobs::{self, QueuedJob};
use crate::store::sql::Sql;
use crate::store::tickets::{self, NewTicket};
use crate::store::{StoreError, events, switches};

/// A request that is not stored yet, but has its id, so that what belongs to it can be planned.
#[derive(Debug, Clone)]
pub struct Draft {
    row: Model,
    actor: Actor,
    /// As it will be.
    pub request: Request,
}

impl Draft {
    /// Of a request that is taken in at `now`.
    pub fn new(new: &NewRequest, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let row = row_of(new, now)?;
        let request = Request::try_from(row.clone())?;
        let actor = Actor::Source(new.actor.clone());
        Ok(Self {
            row,
            actor,
            request,
        })
    }
}

#[derive(FromQueryResult)]
struct Stored {
    #[expect(dead_code, reason = "that there is a row says all")]
    id: Uuid,
}

/// Stores a draft with its ticket, its job (`true`: as rung), audit entry and first event, and commits: the job to be rung. `None` when
/// nothing was stored, because the source has asked this before or the route is switched off.
///
/// One way to the database and back instead of nine: what an idle system's first call waits for. A statement that meets an equal one
/// waits for that to commit.
pub async fn take_in(
    conn: &impl ConnectionTrait,
    draft: &Draft,
    ticket: &NewTicket,
    job: (NewJob, bool),
    now: DateTime<Utc>,
) -> Result<Option<QueuedJob>, StoreError> {
    const IF_NEW: &str = " WHERE EXISTS (SELECT 1 FROM fresh)), ";
    let id = draft.request.id.to_string();
    let entry = accepted(&draft.actor, &id, &draft.request);
    let event = RequestEvent::of(&draft.request, None, None);
    let news = (draft.request.source.as_str(), draft.request.id, &event);
    let (insert_job, queued) = jobs::insertion(conn, &[job], now);
    let stored: Option<Stored> = Sql::new(conn, "WITH fresh AS (")
        .nest(insertion(conn, std::slice::from_ref(&draft.row)))
        .then(" WHERE NOT EXISTS (SELECT 1 FROM switches WHERE NOT is_on AND subject = ")
        .bind(switches::of_route(&draft.request.route))
        .then(")")
        .then(UNLESS_THERE)
        .then("), planned AS (")
        .nest(tickets::insertion(conn, std::slice::from_ref(ticket), now))
        .then(IF_NEW)
        .then("job AS (")
        .nest(insert_job)
        .then(IF_NEW)
        .then("entry AS (")
        .nest(audit::insertion(conn, &[entry], now))
        .then(IF_NEW)
        .then("event AS (")
        .nest(events::insertion(conn, &[news], now)?)
        .then(" WHERE EXISTS (SELECT 1 FROM fresh)) SELECT id FROM fresh")
        .one(conn)
        .await?;
    Ok(stored.and_then(|_| queued.into_iter().next()))
}
