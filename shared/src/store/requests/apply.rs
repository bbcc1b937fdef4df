//! Changes a request: compare-and-set, with its audit entry, its event and its callback job.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::{Map, Value as Json, json};

use super::apply_all::{Deed, apply_all};
use crate::job::{ForRequest, NewJob, Payload};
use crate::request::{Request, RequestState};
use crate::store::audit::Actor;
use crate::store::jobs::QueuedJob;
use crate::store::{StoreError, tickets};

/// What to change; `None` leaves a field as it is, an inner `None` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Move to this state.
    pub state: Option<RequestState>,
    /// Why it is in its state.
    pub reason: Option<Option<String>>,
    /// What a human should look at.
    pub attention: Option<Option<String>>,
    /// The access shall hold until then.
    pub valid_until: Option<DateTime<Utc>>,
    /// The access shall hold from then on.
    pub valid_from: Option<DateTime<Utc>>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// Made. The jobs are to be pushed after the commit.
    Changed(Request, Vec<QueuedJob>),
    /// Everything was so already; nothing was written.
    Unchanged(Request),
    /// The request has changed since `current` was read: read it again and decide anew.
    Stale,
}

/// Changes `current`, in one transaction with whatever caused it. Save the ticket first: the event shows it.
///
/// Fails with [`StoreError::IllegalMove`] when the state may not follow the current one.
pub async fn apply(
    conn: &impl ConnectionTrait,
    current: &Request,
    change: &Change,
    actor: &Actor,
    action: &str,
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    let after = changed(current, change, now)?;
    if after == *current {
        return Ok(Applied::Unchanged(after));
    }
    let deed = Deed {
        current,
        change: change.clone(),
        actor,
        action,
        ticket: tickets::of_request(conn, current.id).await?,
    };
    match apply_all(conn, &[deed], now).await? {
        Some(jobs) => Ok(Applied::Changed(next(current, after, now), jobs)),
        None => Ok(Applied::Stale),
    }
}

/// What `after` is stored as.
pub(super) fn next(current: &Request, after: Request, now: DateTime<Utc>) -> Request {
    Request {
        version: current.version + 1,
        updated_at: now,
        ..after
    }
}

/// The request as it would be; equal to `current` when nothing changes.
pub(super) fn changed(
    current: &Request,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Request, StoreError> {
    let mut after = current.clone();
    if let Some(to) = change.state.filter(|to| *to != current.state) {
        if !current.state.may_become(to) {
            return Err(StoreError::IllegalMove {
                from: current.state,
                to,
            });
        }
        after.state = to;
        after.closed_at = to.is_final().then_some(now);
    }
    if let Some(reason) = &change.reason {
        after.reason.clone_from(reason);
    }
    if let Some(attention) = &change.attention {
        after.attention.clone_from(attention);
    }
    after.asked.valid_until = change.valid_until.or(after.asked.valid_until);
    after.asked.valid_from = change.valid_from.or(after.asked.valid_from);
    Ok(after)
}

/// What the audit trail says besides the states.
pub(super) fn detail(before: &Request, after: &Request) -> Json {
    let mut detail = Map::new();
    detail.insert("version".to_owned(), after.version.into());
    let fields = [
        ("attention", json!([before.attention, after.attention])),
        (
            "valid_from",
            json!([before.asked.valid_from, after.asked.valid_from]),
        ),
        (
            "valid_until",
            json!([before.asked.valid_until, after.asked.valid_until]),
        ),
    ];
    detail.extend(
        fields
            .into_iter()
            .filter(|(_, pair)| pair[0] != pair[1])
            .map(|(name, pair)| (name.to_owned(), pair)),
    );
    Json::Object(detail)
}

/// One callback job per request at a time. It reads the newest state when it runs; a change that comes while it runs
/// makes it run once more (see `jobs::insert`).
pub(super) fn callback(request: &Request, now: DateTime<Utc>) -> NewJob {
    NewJob {
        payload: Payload::DeliverCallback(ForRequest {
            request_id: request.id,
        }),
        connection: None,
        request_id: Some(request.id),
        priority: 3,
        due_at: now,
        dedup_key: Some(format!("callback:{}", request.id)),
        traceparent: None,
    }
}
