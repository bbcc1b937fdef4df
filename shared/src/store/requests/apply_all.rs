//! Changes several requests with a handful of statements.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

use super::apply::{Change, callback, changed, detail, next};
use super::asked_json;
use crate::event::RequestEvent;
use crate::request::Request;
use crate::store::audit::{self, Actor, Entry};
use crate::store::jobs::{self, QueuedJob};
use crate::store::sql::Sql;
use crate::store::{StoreError, events};
use crate::ticket::Ticket;

/// One change of one request.
#[derive(Debug)]
pub struct Deed<'a> {
    /// The request as it was read.
    pub current: &'a Request,
    /// What to change.
    pub change: Change,
    /// On whose behalf.
    pub actor: &'a Actor,
    /// The word in the audit trail.
    pub action: &'a str,
    /// Its ticket as it is stored now: the event shows it.
    pub ticket: Option<Ticket>,
}

#[derive(FromQueryResult)]
struct Updated {
    id: Uuid,
    has_callback: bool,
}

/// What [`apply`](super::apply) does, for several requests, each named once. The callback jobs are to be pushed after the
/// commit; `None` when one of the requests has changed since it was read: roll back.
pub async fn apply_all(
    conn: &impl ConnectionTrait,
    deeds: &[Deed<'_>],
    now: DateTime<Utc>,
) -> Result<Option<Vec<QueuedJob>>, StoreError> {
    let mut made = Vec::with_capacity(deeds.len());
    for deed in deeds {
        let after = changed(deed.current, &deed.change, now)?;
        if after != *deed.current {
            made.push((deed, next(deed.current, after, now)));
        }
    }
    if made.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let updated = compare_and_set(conn, &made, now).await?;
    if updated.len() != made.len() {
        return Ok(None);
    }
    tell(conn, &made, now).await?;
    let with_callback: HashSet<Uuid> = updated
        .into_iter()
        .filter(|row| row.has_callback)
        .map(|row| row.id)
        .collect();
    let mut queued = Vec::new();
    for (_, after) in &made {
        if with_callback.contains(&after.id) {
            queued.extend(jobs::insert(conn, &callback(after, now), now).await?);
        }
    }
    Ok(Some(queued))
}

async fn compare_and_set(
    conn: &impl ConnectionTrait,
    made: &[(&Deed<'_>, Request)],
    now: DateTime<Utc>,
) -> Result<Vec<Updated>, StoreError> {
    let rows = made
        .iter()
        .map(|(deed, after)| values(deed.current, after))
        .collect::<Result<_, _>>()?;
    let columns = "request uuid, read bigint, new_state text, new_reason text, new_attention text, new_asked jsonb, closed timestamptz, \
                   is_final boolean";
    Sql::given(conn, columns, rows)
        .then(
            "UPDATE requests SET state = new_state, reason = new_reason, attention = new_attention, \
             asked = COALESCE(new_asked, asked), asked_originally = CASE WHEN new_asked IS NOT NULL AND \
             CAST(asked_originally AS text) = 'null' THEN asked ELSE asked_originally END, closed_at = closed, \
             closed_as = CASE WHEN is_final THEN new_state END, version = version + 1, updated_at = ",
        )
        .bind(now)
        .then(
            ", watched = (NOT is_final OR EXISTS (SELECT 1 FROM tickets WHERE tickets.request_id = requests.id \
             AND tickets.written_version < given.read + 1)) FROM given WHERE id = request AND version = read \
             RETURNING requests.id AS id, requests.has_callback AS has_callback",
        )
        .all(conn)
        .await
}

fn values(current: &Request, after: &Request) -> Result<Vec<Value>, StoreError> {
    let asked = (after.asked != current.asked)
        .then(|| asked_json(&after.asked))
        .transpose()?;
    Ok(vec![
        after.id.into(),
        current.version.into(),
        after.state.as_str().into(),
        after.reason.clone().into(),
        after.attention.clone().into(),
        asked.into(),
        after.closed_at.into(),
        after.state.is_final().into(),
    ])
}

/// Writes audit entries and events.
async fn tell(
    conn: &impl ConnectionTrait,
    made: &[(&Deed<'_>, Request)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ids: Vec<String> = made.iter().map(|(_, after)| after.id.to_string()).collect();
    let entries: Vec<Entry<'_>> = made
        .iter()
        .zip(&ids)
        .map(|((deed, after), id)| Entry {
            actor: deed.actor,
            action: deed.action,
            subject_kind: "request",
            subject_id: id,
            from: Some(deed.current.state.as_str()),
            to: Some(after.state.as_str()),
            reason: after.reason.as_deref(),
            detail: detail(deed.current, after),
        })
        .collect();
    audit::append_all(conn, &entries, now).await?;
    let told: Vec<RequestEvent> = made
        .iter()
        .map(|(deed, after)| {
            RequestEvent::of(after, deed.ticket.as_ref(), Some(deed.current.state))
        })
        .collect();
    let news: Vec<_> = made
        .iter()
        .zip(&told)
        .map(|((_, after), event)| (after.source.as_str(), after.id, event))
        .collect();
    events::append_all(conn, &news, now).await
}
