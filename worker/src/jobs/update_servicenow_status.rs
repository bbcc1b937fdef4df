//! `update_servicenow_status.v1`: brings the ticket to the state of its request, and writes pending notes (T10, T11, T17).
//!
//! Level-triggered: the newest state is read when the job runs, so that many changes cost one write.

use std::collections::BTreeMap;

use servicenow_client::{Error, ReadOptions};
use shared::budget::Class;
use shared::request::RequestState;
use shared::route::Mastery;
use shared::state_map::Mapped;
use shared::ticket::Ticket;
use uuid::Uuid;

use super::case::Case;
use super::mirror;
use crate::attention::Attention;
use crate::effects::{Effects, Subject, Wish};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;

mod notes;
mod walk;

/// Attempts that look for a ticket in vain before it is taken for gone.
const LOOKS_FOR_TICKET: i32 = 5;

pub(super) async fn run(run: &Run<'_>, request_id: Uuid) -> Ran {
    let case = Case::load(run, Class::Push, request_id).await?;
    if !case.ticket.exists {
        // The create follows the request once its ticket is there.
        return Ok(Finished::default());
    }
    let mut effects = notes::write(run, &case).await?;
    match bring(run, &case).await {
        Ok(subject) => {
            effects.subjects.push(subject);
            Ok(Finished::done(effects))
        }
        // Notes that are in the journal are on record, whatever became of the state.
        Err(mut ended) => {
            ended.effects.notes_sent.extend(effects.notes_sent);
            ended.effects.subjects.extend(effects.subjects);
            Err(ended)
        }
    }
}

/// Writes the state, unless the ticket has it or the route writes nothing for it.
async fn bring(run: &Run<'_>, case: &Case<'_>) -> Ran<Subject> {
    let Some(columns) = columns(run, case)? else {
        return Ok(case.subject(case.ticket.clone(), no_longer_flagged(case)));
    };
    let now = read(run, case).await?;
    if mirror::shows(case.route, &now, case.request.state) {
        return Ok(case.subject(written(case, now), no_longer_flagged(case)));
    }
    if let Some(wish) = overtaken(case, &now) {
        return Ok(case.subject(now, Some(wish)));
    }
    let after = walk::to(run, case, &now, &columns).await?;
    Ok(case.subject(written(case, after), no_longer_flagged(case)))
}

/// What the map of the route writes for the state of the request. Where ServiceNow decides, only an end is told to it.
fn columns(run: &Run<'_>, case: &Case<'_>) -> Ran<Option<BTreeMap<String, String>>> {
    let state = case.request.state;
    let told = match case.route.mastery {
        Mastery::Source => !matches!(state, RequestState::Accepted | RequestState::Opening),
        Mastery::Servicenow => state.is_final(),
    };
    if !told || case.ticket.given_up_at.is_some() {
        return Ok(None);
    }
    case.route
        .states
        .write(&case.input(run))
        .map_err(|problems| {
            let told = problems
                .iter()
                .map(|it| format!("{}: {} ({})", it.column, it.problem, it.fix));
            Outcome::dead("template", told.collect::<Vec<_>>().join("; ")).into()
        })
}

/// The ticket as it is now: what is there already is not written, and nothing is overwritten unseen (wire contract 12.5).
async fn read(run: &Run<'_>, case: &Case<'_>) -> Ran<Ticket> {
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    match run
        .read(
            case.seat
                .table
                .get(sys_id, &ReadOptions::fields(mirror::COLUMNS)),
        )
        .await
    {
        Ok(reply) => Ok(mirror::observe(
            case.route,
            &case.ticket,
            &reply.value,
            run.now(),
        )),
        Err(error @ Error::NotFound { .. }) => Err(not_found(run, &error).into()),
        Err(error) => Err(case.seat.judge(run, &error).into()),
    }
}

/// What was written a moment ago may be seen late; what is still not there after some looks is gone.
fn not_found(run: &Run<'_>, error: &Error) -> Outcome {
    if run.job.attempts < LOOKS_FOR_TICKET {
        Outcome::retry("not_found", error.to_string())
    } else {
        Outcome::dead("not_found", error.to_string())
    }
}

/// ServiceNow decides, and has ended the ticket in another way before the source's word arrived: its value is kept, both are told.
fn overtaken(case: &Case<'_>, now: &Ticket) -> Option<Wish> {
    let Mapped::To(state) = mirror::mapped(case.route, now) else {
        return None;
    };
    let ended = case.route.mastery == Mastery::Servicenow && state.is_final();
    let owner = format!("{state} (ServiceNow)");
    let other = format!("{} (the source)", case.request.state);
    let conflict = Attention::Conflict {
        owner: &owner,
        other: &other,
    };
    ended.then(|| Wish::of(case.request.id, "ticket.conflict").raise(conflict))
}

/// The version is on record where the source decides: polling watches such a ticket until it shows the end.
fn written(case: &Case<'_>, ticket: Ticket) -> Ticket {
    let written_version = match case.route.mastery {
        Mastery::Source => Some(case.request.version),
        Mastery::Servicenow => ticket.written_version,
    };
    Ticket {
        written_version,
        ..ticket
    }
}

/// The ticket follows again: the configuration was mended, a write that failed went through, or the source has moved on since a
/// conflict.
fn no_longer_flagged(case: &Case<'_>) -> Option<Wish> {
    let flag = case.request.attention.as_deref();
    let failed = Attention::Parked("").wrote(flag) || Attention::NotUpdated("").wrote(flag);
    let settled = failed || Attention::is_old_conflict(flag, case.request.state.as_str());
    settled.then(|| Wish::of(case.request.id, "ticket.updated").lower_if(true))
}

/// The start of effects that only mark notes.
fn notes_only(notes_sent: Vec<Uuid>, wish: Option<Wish>) -> Effects {
    Effects {
        notes_sent,
        subjects: wish
            .map(|wish| Subject {
                wish: Some(wish),
                ..Subject::default()
            })
            .into_iter()
            .collect(),
        ..Effects::default()
    }
}
