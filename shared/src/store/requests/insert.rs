//! Takes a request in.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use super::{asked_json, insert_many};
use crate::event::RequestEvent;
use crate::request::{Asked, Request, RequestState};
use crate::store::audit::{self, Actor, Entry};
use crate::store::entities::requests::Model;
use crate::store::{StoreError, events, new_id};

/// A request to be taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRequest {
    /// Name of the source.
    pub source: String,
    /// Name of the route that serves it.
    pub route: String,
    /// What is asked.
    pub asked: Asked,
    /// Whether its changes are told by callback.
    pub has_callback: bool,
    /// Who brings it, for the audit trail: the source's own word, or the operator's name.
    pub actor: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// It is new.
    New(Request),
    /// The source has asked this before: the request as it stands, and what was asked then.
    Existing(Request, Box<Asked>),
}

/// Takes a request in, in the same transaction as the jobs it causes; writes the audit entry and the first event.
///
/// The natural key is (source, external id). A second call with the same key waits for the first to commit.
pub async fn insert(
    conn: &impl ConnectionTrait,
    new: &NewRequest,
    now: DateTime<Utc>,
) -> Result<Inserted, StoreError> {
    let inserted = insert_many(conn, &new.source, std::slice::from_ref(new), now).await?;
    inserted
        .into_iter()
        .next()
        .ok_or_else(|| StoreError::Corrupt("what became of a request is not known".to_owned()))
}

/// Writes audit entries and first events of requests, each with who brought it.
pub(super) async fn tell(
    conn: &impl ConnectionTrait,
    fresh: &[(&String, &Request)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let told: Vec<(Actor, String)> = fresh
        .iter()
        .map(|(actor, request)| (Actor::Source((*actor).clone()), request.id.to_string()))
        .collect();
    let entries: Vec<Entry<'_>> = fresh
        .iter()
        .zip(&told)
        .map(|((_, request), (actor, id))| accepted(actor, id, request))
        .collect();
    audit::append_all(conn, &entries, now).await?;
    let first: Vec<RequestEvent> = fresh
        .iter()
        .map(|(_, request)| RequestEvent::of(request, None, None))
        .collect();
    let news: Vec<_> = fresh
        .iter()
        .zip(&first)
        .map(|((_, request), event)| (request.source.as_str(), request.id, event))
        .collect();
    events::append_all(conn, &news, now).await
}

/// The first entry about a request, whose id is written as `id`.
pub(super) fn accepted<'a>(actor: &'a Actor, id: &'a str, request: &Request) -> Entry<'a> {
    Entry {
        actor,
        action: "request.accepted",
        subject_kind: "request",
        subject_id: id,
        from: None,
        to: Some(request.state.as_str()),
        reason: None,
        detail: json!({ "route": request.route, "external_id": request.asked.external_id }),
    }
}

pub(super) fn row_of(new: &NewRequest, now: DateTime<Utc>) -> Result<Model, StoreError> {
    Ok(Model {
        id: new_id(now),
        source: new.source.clone(),
        external_id: new.asked.external_id.clone(),
        route: new.route.clone(),
        category: new.asked.category.clone(),
        item: new.asked.item.clone(),
        requester: new.asked.requester.clone(),
        requested_for: new.asked.requested_for.clone(),
        asked: asked_json(&new.asked)?,
        asked_originally: Json::Null,
        state: RequestState::Accepted.as_str().to_owned(),
        reason: None,
        attention: None,
        has_callback: new.has_callback,
        watched: true,
        version: 1,
        created_at: now,
        updated_at: now,
        closed_at: None,
        closed_as: None,
    })
}
