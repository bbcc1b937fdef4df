//! Comments of the source, each exactly once in the ticket's journal (ARCHITECTURE.md, invariant 8): alone in their PATCH, with a
//! marker, on record before they are sent, and looked up before they are sent again (wire contract 2.7).
//!
//! Wherever a process dies, the next run finds one of three: no mark, so nothing was sent; a mark and the entry, so it is done; a
//! mark and no entry, so it may still arrive, and is sent again only when it no longer can.

use std::time::Duration;

use servicenow_client::{Error, Fields, MarkerSearch, ReadOptions, WriteOptions};
use shared::crash::{Point, reach};
use shared::store::notes::{self, Note};

use super::super::case::Case;
use super::{not_found, notes_only};
use crate::attention::Attention;
use crate::effects::{Effects, Wish};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;

/// When a note is looked for after a send without an answer.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// What is known of a note.
enum Known {
    /// It is in the journal.
    There,
    /// It is not.
    Missing,
    /// The account can read no journal, so nobody can tell; it is not sent again.
    Unsure,
}

/// Writes what is pending, in order. A note that cannot be written now stops those after it.
pub(super) async fn write(run: &Run<'_>, case: &Case<'_>) -> Ran<Effects> {
    let pending = notes::pending(run.ctx.store.conn(), case.request.id).await?;
    let mut sent = Vec::new();
    let mut unsure = false;
    for note in &pending {
        match one(run, case, note).await {
            Ok(Known::There | Known::Missing) => {}
            Ok(Known::Unsure) => unsure = true,
            Err(mut ended) => {
                ended.effects.notes_sent.extend(sent);
                return Err(ended);
            }
        }
        sent.push(note.id);
    }
    let wish =
        unsure.then(|| Wish::of(case.request.id, "note.unsure").raise(Attention::NoteUnsure));
    Ok(notes_only(sent, wish))
}

async fn one(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<Known> {
    if note.last_sent_at.is_some() {
        match look_up(run, case, note).await? {
            Known::Missing => still_under_way(run, case, note)?,
            known => return Ok(known),
        }
    }
    run.may_write()?;
    let (conn, lease) = (run.ctx.store.conn(), &run.job.lease);
    if !notes::mark_sending(conn, note.id, lease, run.job.id, run.now()).await? {
        // Whoever has the job now reads for itself what became of the note.
        let message = "the job was given to another worker before the comment was sent";
        return Err(Outcome::retry("lease", message).into());
    }
    reach(Point::NoteMarked).await;
    append(run, case, note).await?;
    Ok(Known::There)
}

/// Sends it. The whole call, with a token that may have to be fetched first, ends within the time limit of one call: the quiet
/// period counts on it.
async fn append(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<()> {
    let text = format!("{}\n({}) {}", note.text, note.author, note.marker);
    let fields = Fields::new().with(element(note), text);
    let options = WriteOptions {
        echo: ReadOptions::fields(["sys_id", "sys_mod_count", "sys_updated_on"]),
        input_display_value: false,
    };
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    let call = case.seat.table.update(sys_id, &fields, &options);
    let limit = case.seat.connection.settings.request_timeout();
    match run.write_once(limit, call).await? {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) if error.may_have_committed() => Err(unclear(error.to_string())),
        Some(Err(error)) => Err(refused(case.seat.judge(run, &error), note)),
        None => Err(unclear(
            "the call was given up before its answer".to_owned(),
        )),
    }
}

fn unclear(message: String) -> Box<Finished> {
    Outcome::Retry {
        class: "note_unclear",
        after: Some(FIRST_LOOK),
        message,
    }
    .into()
}

/// Nothing was written: the mark of this send is taken back, or the next one would wait for nothing.
fn refused(outcome: Outcome, note: &Note) -> Box<Finished> {
    outcome.with(Effects {
        notes_refused: vec![note.clone()],
        ..Effects::default()
    })
}

/// First among the entries, then in the rendered text: an empty list of entries proves nothing.
async fn look_up(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<Known> {
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    let journals = case.seat.client.journals();
    let (table, element) = (case.seat.table.name(), element(note));
    let entries = journals.marker_in_entries(table, sys_id, element, &note.marker);
    match run.read(entries).await {
        Ok(reply) if reply.value => return Ok(Known::There),
        Ok(_) | Err(Error::Forbidden { .. }) => {}
        Err(error) => return Err(case.seat.judge(run, &error).into()),
    }
    let text = journals.marker_in_text(table, sys_id, element, &note.marker);
    match run.read(text).await {
        Ok(reply) => Ok(match reply.value {
            MarkerSearch::Found => Known::There,
            MarkerSearch::Absent => Known::Missing,
            MarkerSearch::Unreadable => Known::Unsure,
        }),
        Err(error @ Error::NotFound { .. }) => Err(not_found(run, &error).into()),
        Err(error) => Err(case.seat.judge(run, &error).into()),
    }
}

/// The journal does not show it, but it may be on its way: the call may have taken its time, and the instance its own.
fn still_under_way(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<()> {
    let quiet = case.seat.connection.settings.quiet();
    let since = note
        .last_sent_at
        .map(|at| (run.now() - at).to_std().unwrap_or_default());
    let left = quiet.saturating_sub(since.unwrap_or(quiet));
    if left.is_zero() {
        return Ok(());
    }
    Err(Outcome::Retry {
        class: "note_under_way",
        after: Some(left),
        message: "a comment was sent and is not in the journal yet; it is not sent again before it must have arrived".to_owned(),
    }
    .into())
}

/// `comments` are seen by the requester, `work_notes` are not: internal text never goes into the former.
fn element(note: &Note) -> &'static str {
    if note.visible {
        "comments"
    } else {
        "work_notes"
    }
}
