//! Takes a request in.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, TryInsertResult};
use serde_json::json;

use super::{asked, asked_json, row_by_natural_key};
use crate::event::RequestEvent;
use crate::request::{Asked, Request, RequestState};
use crate::store::audit::{self, Actor, Entry};
use crate::store::entities::requests::{Column, Entity, Model};
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
    let row = row_of(new, now)?;
    let keep = OnConflict::columns([Column::Source, Column::ExternalId])
        .do_nothing()
        .to_owned();
    let inserted = Entity::insert(row.clone().into_active_model())
        .on_conflict(keep)
        .try_insert()
        .exec_without_returning(conn)
        .await?;
    if !matches!(inserted, TryInsertResult::Inserted(1)) {
        let there = row_by_natural_key(conn, &new.source, &new.asked.external_id)
            .await?
            .ok_or_else(|| StoreError::Conflict {
                constraint: "requests_natural_key".to_owned(),
            })?;
        let before = asked(there.asked_originally.clone())?;
        return Ok(Inserted::Existing(
            Request::try_from(there)?,
            Box::new(before),
        ));
    }
    let request = Request::try_from(row)?;
    tell(conn, &[(&new.actor, &request)], now).await?;
    Ok(Inserted::New(request))
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
        .map(|((_, request), (actor, id))| Entry {
            actor,
            action: "request.accepted",
            subject_kind: "request",
            subject_id: id,
            from: None,
            to: Some(request.state.as_str()),
            reason: None,
            detail: json!({ "route": request.route, "external_id": request.asked.external_id }),
        })
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

pub(super) fn row_of(new: &NewRequest, now: DateTime<Utc>) -> Result<Model, StoreError> {
    let asked = asked_json(&new.asked)?;
    Ok(Model {
        id: new_id(now),
        source: new.source.clone(),
        external_id: new.asked.external_id.clone(),
        route: new.route.clone(),
        category: new.asked.category.clone(),
        item: new.asked.item.clone(),
        requester: new.asked.requester.clone(),
        requested_for: new.asked.requested_for.clone(),
        asked: asked.clone(),
        asked_originally: asked,
        state: RequestState::Accepted.as_str().to_owned(),
        reason: None,
        attention: None,
        has_callback: new.has_callback,
        watched: true,
        version: 1,
        created_at: now,
        updated_at: now,
        closed_at: None,
    })
}
