//! Writes one closing into a transaction. Tickets before requests (the event shows the ticket), jobs last.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::Value as Json;
use shared::request::Request;
use shared::store::audit::{self, Entry};
use shared::store::jobs::{Ending, QueuedJob};
use shared::store::requests::{self, Applied};
use shared::store::tickets::{self, Saved};
use shared::store::{
    StoreError, attempts, cadences, circuits, cursors, drift, jobs, notes, people, table_facts,
};

use super::verdict::{CircuitMove, Closing};
use crate::effects::{CursorMove, Effects, Fact, Noted, Subject, TicketChange, WhenStale, Wish};
use crate::follow;

/// How often a wish is granted anew because the request changed under it.
const GRANTS: usize = 5;

/// What became of a closing.
pub(crate) enum Written {
    /// Everything is in the transaction; these jobs are to be rung after the commit.
    All(Vec<QueuedJob>),
    /// Somebody else has the job: roll back, and drop the effects.
    LeaseLost,
    /// What the run read is no longer true: roll back, and run again.
    Stale,
}

/// Writes `closing`. Anything but [`Written::All`] must be rolled back.
pub(super) async fn write(
    tx: &impl ConnectionTrait,
    closing: &Closing,
    now: DateTime<Utc>,
) -> Result<Written, StoreError> {
    let mut rung = Vec::new();
    // A dead callback is flagged, and the flag is told by a callback: of its own, not by reviving the dead one.
    let dead = matches!(closing.ending, Ending::Dead { .. });
    if dead && !finish(tx, closing, now).await? {
        return Ok(Written::LeaseLost);
    }
    for subject in &closing.effects.subjects {
        if !write_subject(tx, closing, subject, &mut rung, now).await? {
            return Ok(Written::Stale);
        }
    }
    write_knowledge(tx, &closing.effects, now).await?;
    if let Some(attempt) = &closing.attempt {
        attempts::insert(tx, attempt).await?;
    }
    if !dead && !finish(tx, closing, now).await? {
        return Ok(Written::LeaseLost);
    }
    // After the end of this job, because the next page of a run carries its key.
    for job in &closing.effects.jobs {
        rung.extend(jobs::insert(tx, job, now).await?);
    }
    for circuit in &closing.circuits {
        move_circuit(tx, circuit, now).await?;
    }
    Ok(Written::All(rung))
}

async fn finish(
    tx: &impl ConnectionTrait,
    closing: &Closing,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    jobs::finish(tx, closing.job.id, &closing.job.lease, &closing.ending, now).await
}

/// False when the ticket is no longer as the run read it and the run depends on it.
async fn write_subject(
    tx: &impl ConnectionTrait,
    closing: &Closing,
    subject: &Subject,
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if let Some(TicketChange {
        before,
        after,
        when_stale,
    }) = &subject.ticket
        && before != after
        && tickets::save(tx, before, after, now).await? == Saved::Stale
    {
        return Ok(*when_stale == WhenStale::Skip);
    }
    // Looked at before our own wish moves the request.
    if let Some(read) = &subject.follow {
        rung.extend(follow_if_moved(tx, closing, read, now).await?);
    }
    if let Some(wish) = subject.wish.as_ref().filter(|wish| !wish.is_empty()) {
        rung.extend(grant(tx, wish, now).await?);
    }
    Ok(true)
}

/// A job of its own writes to the ticket what the source did or said while the ticket was being made.
async fn follow_if_moved(
    tx: &impl ConnectionTrait,
    closing: &Closing,
    read: &Request,
    now: DateTime<Utc>,
) -> Result<Option<QueuedJob>, StoreError> {
    let current = requests::hold(tx, read.id).await?;
    let moved = current.is_some_and(|current| current.version != read.version)
        || !notes::pending(tx, read.id).await?.is_empty();
    match &closing.job.connection {
        Some(connection) if moved => {
            let job = follow::job(read.id, connection, closing.job.traceparent.as_deref(), now);
            jobs::insert(tx, &job, now).await
        }
        _ => Ok(None),
    }
}

/// Grants a wish on the request as it is now; what its state does not allow is left out.
async fn grant(
    tx: &impl ConnectionTrait,
    wish: &Wish,
    now: DateTime<Utc>,
) -> Result<Vec<QueuedJob>, StoreError> {
    for _ in 0..GRANTS {
        let Some(current) = requests::find(tx, wish.request_id).await? else {
            return Ok(Vec::new());
        };
        match requests::apply(
            tx,
            &current,
            &wish.on(&current),
            &wish.actor,
            wish.action,
            now,
        )
        .await?
        {
            Applied::Changed(_, jobs) => return Ok(jobs),
            Applied::Unchanged(_) => return Ok(Vec::new()),
            Applied::Stale => {}
        }
    }
    Err(StoreError::Conflict {
        constraint: format!("request {} changes all the time", wish.request_id),
    })
}

async fn write_knowledge(
    tx: &impl ConnectionTrait,
    effects: &Effects,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for id in &effects.notes_sent {
        notes::mark_sent(tx, *id, now).await?;
    }
    for note in &effects.notes_refused {
        notes::mark_refused(tx, note).await?;
    }
    if let Some(CursorMove { before, after }) = &effects.cursor {
        // Whoever moved it meanwhile has read as far; a cursor that lags is read over again, one that leads never is.
        cursors::put(tx, before.as_ref(), after).await?;
    }
    if let Some(name) = &effects.cadence_finished {
        cadences::finished(tx, name, now).await?;
    }
    for fact in &effects.facts {
        write_fact(tx, fact, now).await?;
    }
    for person in &effects.people {
        people::put(
            tx,
            &person.connection,
            &person.key,
            &person.sys_id,
            &person.name,
            now,
        )
        .await?;
    }
    if let Some(report) = &effects.drift {
        drift::put(tx, report).await?;
    }
    for noted in &effects.audit {
        audit::append(tx, &entry(noted), now).await?;
    }
    Ok(())
}

async fn write_fact(
    tx: &impl ConnectionTrait,
    fact: &Fact,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match fact {
        Fact::HonoursSysId {
            connection,
            table,
            honours,
        } => table_facts::set_honours(tx, connection, table, *honours).await,
        Fact::ZoneIsUtc { connection, table } => {
            table_facts::set_zone_ok(tx, connection, table, now).await
        }
    }
}

fn entry(noted: &Noted) -> Entry<'_> {
    Entry {
        actor: &noted.actor,
        action: noted.action,
        subject_kind: noted.subject_kind,
        subject_id: &noted.subject_id,
        from: noted.from.as_deref(),
        to: noted.to.as_deref(),
        reason: Some(&noted.reason),
        detail: Json::Null,
    }
}

async fn move_circuit(
    tx: &impl ConnectionTrait,
    circuit: &CircuitMove,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match circuit {
        CircuitMove::Open {
            name,
            class,
            reason,
            until,
        } => circuits::open(tx, name, class, reason, *until, now).await,
        CircuitMove::Close { name } => {
            circuits::close(tx, name, now).await?;
            let connection = name.split('/').next().unwrap_or_default();
            jobs::unpark(tx, connection, now).await.map(drop)
        }
    }
}
