//! Writes closings into a transaction, with as few statements for many as for one. Tickets before requests (the event shows the
//! ticket), jobs last.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::Value as Json;
use shared::job::Lease;
use shared::store::audit::{self, Entry};
use shared::store::jobs::{Ending, QueuedJob};
use shared::store::{
    StoreError, attempts, cadences, choice_lists, circuits, connection_checks, cursors, drift,
    jobs, notes, people, table_facts,
};
use uuid::Uuid;

use super::subjects;
use super::verdict::{CircuitMove, Closing};
use crate::effects::{CursorMove, Effects, Fact, Noted};

/// What became of closings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Everything is in the transaction.
    All,
    /// Somebody else has one of the jobs: roll back, and drop its effects.
    LeaseLost,
    /// What one of the runs read is no longer true: roll back, and run it again.
    Stale,
}

/// Writes `closings`. Anything but [`Written::All`] must be rolled back. The jobs added to `rung` are to be rung after the commit.
pub(super) async fn write(
    tx: &impl ConnectionTrait,
    closings: &[&Closing],
    rung: &mut Vec<QueuedJob>,
    now: DateTime<Utc>,
) -> Result<Written, StoreError> {
    // A dead callback is flagged, and the flag is told by a callback: of its own, not by reviving the dead one.
    let (dead, living): (Vec<&Closing>, Vec<&Closing>) = closings
        .iter()
        .partition(|it| matches!(it.ending, Ending::Dead { .. }));
    if !finish(tx, &dead, now).await? {
        return Ok(Written::LeaseLost);
    }
    if !subjects::write(tx, closings, rung, now).await? {
        return Ok(Written::Stale);
    }
    for closing in closings {
        write_knowledge(tx, &closing.effects, now).await?;
    }
    let ended: Vec<_> = closings
        .iter()
        .filter_map(|it| it.attempt.as_ref())
        .collect();
    attempts::insert_all(tx, &ended, now).await?;
    if !finish(tx, &living, now).await? {
        return Ok(Written::LeaseLost);
    }
    for closing in closings {
        // After the end of this job, because the next page of a run carries its key.
        for job in &closing.effects.jobs {
            rung.extend(jobs::insert(tx, job, now).await?);
        }
        for circuit in &closing.circuits {
            move_circuit(tx, circuit, now).await?;
        }
    }
    Ok(Written::All)
}

/// Ends the jobs, those that ended alike in one statement. False when the lease of one is lost.
async fn finish(
    tx: &impl ConnectionTrait,
    closings: &[&Closing],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut alike: Vec<(&Ending, Vec<(Uuid, &Lease)>)> = Vec::new();
    for closing in closings {
        let job = (closing.job.id, &closing.job.lease);
        match alike
            .iter_mut()
            .find(|(ending, _)| **ending == closing.ending)
        {
            Some((_, jobs)) => jobs.push(job),
            None => alike.push((&closing.ending, vec![job])),
        }
    }
    for (ending, jobs) in alike {
        if jobs::finish_all(tx, &jobs, ending, now).await? != jobs.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
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
    if let Some(check) = &effects.check {
        connection_checks::end(tx, check, now).await?;
    }
    if let Some(reading) = &effects.choices {
        choice_lists::put(tx, reading).await?;
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
