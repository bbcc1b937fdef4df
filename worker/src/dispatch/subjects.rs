//! The tickets and requests of closings: saved, looked at and moved on, all of them at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use shared::request::Request;
use shared::store::jobs::QueuedJob;
use shared::store::requests::{self, Deed};
use shared::store::{StoreError, jobs, notes, tickets};
use shared::ticket::Ticket;
use uuid::Uuid;

use super::verdict::Closing;
use crate::effects::{Subject, WhenStale, Wish};
use crate::follow;

/// One subject, and the closing that wants it written.
type Wanted<'a> = (&'a Closing, &'a Subject);

/// Writes the subjects of all closings. False when a ticket is no longer as a run read it and that run depends on it.
pub(super) async fn write(
    tx: &impl ConnectionTrait,
    closings: &[&Closing],
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let wanted = closings.iter().flat_map(|closing| {
        let subjects = closing.effects.subjects.iter();
        subjects.map(move |subject| (*closing, subject))
    });
    for round in rounds(wanted) {
        if !write_round(tx, &round, rung, now).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Subjects that can be written together: no request twice in a round, and in the order they were wanted.
fn rounds<'a>(wanted: impl Iterator<Item = Wanted<'a>>) -> Vec<Vec<Wanted<'a>>> {
    let mut rounds = vec![Vec::new()];
    let mut seen = HashSet::new();
    for it in wanted {
        let Some(id) = it.1.request_id() else {
            continue;
        };
        if !seen.insert(id) {
            rounds.push(Vec::new());
            seen = HashSet::from([id]);
        }
        if let Some(round) = rounds.last_mut() {
            round.push(it);
        }
    }
    rounds
}

async fn write_round(
    tx: &impl ConnectionTrait,
    round: &[Wanted<'_>],
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(saved) = save(tx, round, now).await? else {
        return Ok(false);
    };
    let fresh = |(_, subject): &Wanted<'_>| {
        let id = subject.request_id();
        changed(subject).is_none() || id.is_some_and(|id| saved.contains_key(&id))
    };
    let round: Vec<Wanted<'_>> = round.iter().copied().filter(fresh).collect();
    let held = hold(tx, &round).await?;
    // Looked at before our own wishes move the requests.
    follow_moved(tx, &round, &held, rung, now).await?;
    grant(tx, &round, &held, saved, rung, now).await
}

/// The change of its ticket, if there is one.
fn changed(subject: &Subject) -> Option<(&Ticket, &Ticket)> {
    let change = subject.ticket.as_ref()?;
    (change.before != change.after).then_some((&change.before, &change.after))
}

/// Saves the tickets; as they are stored now, by request. `None` when one is stale and its run depends on it.
async fn save(
    tx: &impl ConnectionTrait,
    round: &[Wanted<'_>],
    now: DateTime<Utc>,
) -> Result<Option<HashMap<Uuid, Ticket>>, StoreError> {
    let mut changes: Vec<(&Ticket, &Ticket)> =
        round.iter().filter_map(|(_, it)| changed(it)).collect();
    // Whoever saves several locks them in this order.
    changes.sort_by_key(|(before, _)| before.request_id);
    let saved = tickets::save_all(tx, &changes, now).await?;
    let depends = |subject: &Subject| {
        let change = subject.ticket.as_ref();
        change.is_some_and(|it| it.when_stale == WhenStale::RunAgain)
    };
    let stale = |(_, subject): &Wanted<'_>| {
        changed(subject).is_some_and(|(before, _)| !saved.contains(&before.request_id))
            && depends(subject)
    };
    if round.iter().any(stale) {
        return Ok(None);
    }
    let stored = changes
        .iter()
        .filter(|(_, it)| saved.contains(&it.request_id));
    Ok(Some(
        stored
            .map(|(_, after)| (after.request_id, (*after).clone()))
            .collect(),
    ))
}

/// The requests that are to be looked at or moved, held until the transaction ends.
async fn hold(
    tx: &impl ConnectionTrait,
    round: &[Wanted<'_>],
) -> Result<HashMap<Uuid, Request>, StoreError> {
    let ids: Vec<Uuid> = round
        .iter()
        .filter(|(_, it)| it.follow.is_some() || wish(it).is_some())
        .filter_map(|(_, it)| it.request_id())
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let held = requests::hold_all(tx, &ids).await?;
    Ok(held.into_iter().map(|it| (it.id, it)).collect())
}

fn wish(subject: &Subject) -> Option<&Wish> {
    subject.wish.as_ref().filter(|wish| !wish.is_empty())
}

/// A job of its own writes to the ticket what the source did or said while the ticket was being made.
async fn follow_moved(
    tx: &impl ConnectionTrait,
    round: &[Wanted<'_>],
    held: &HashMap<Uuid, Request>,
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let read: Vec<(&Closing, &Request)> = round
        .iter()
        .filter_map(|(closing, it)| Some((*closing, it.follow.as_ref()?)))
        .collect();
    if read.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = read.iter().map(|(_, it)| it.id).collect();
    let said = notes::pending_of(tx, &ids).await?;
    for (closing, read) in read {
        let current = held.get(&read.id);
        let moved = current.is_some_and(|it| it.version != read.version) || said.contains(&read.id);
        let Some(connection) = closing.job.connection.as_deref().filter(|_| moved) else {
            continue;
        };
        let job = follow::job(read.id, connection, closing.job.traceparent.as_deref(), now);
        rung.extend(jobs::insert(tx, &job, now).await?);
    }
    Ok(())
}

/// Grants the wishes on the requests as they are now; what their states do not allow is left out.
async fn grant(
    tx: &impl ConnectionTrait,
    round: &[Wanted<'_>],
    held: &HashMap<Uuid, Request>,
    mut saved: HashMap<Uuid, Ticket>,
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let granted: Vec<(&Wish, &Request)> = round
        .iter()
        .filter_map(|(_, subject)| wish(subject))
        .filter_map(|wish| Some((wish, held.get(&wish.request_id)?)))
        .collect();
    let unread = granted.iter().map(|(wish, _)| wish.request_id);
    let unread: Vec<Uuid> = unread.filter(|id| !saved.contains_key(id)).collect();
    for ticket in tickets::of_requests(tx, &unread).await? {
        saved.insert(ticket.request_id, ticket);
    }
    let deeds: Vec<Deed<'_>> = granted
        .into_iter()
        .map(|(wish, current)| Deed {
            current,
            change: wish.on(current),
            actor: &wish.actor,
            action: wish.action,
            ticket: saved.remove(&current.id),
        })
        .collect();
    let Some(callbacks) = requests::apply_all(tx, &deeds, now).await? else {
        return Ok(false);
    };
    rung.extend(callbacks);
    Ok(true)
}
