//! Comments of the source, each exactly once in the ticket's journal (ARCHITECTURE.md, invariant 8): alone in their PATCH, with a
//! marker, on record before they are sent, and looked up before they are sent again (wire contract 2.7).

use std::time::Duration;

use servicenow_client::{Error, Fields, MarkerSearch, ReadOptions, WriteOptions};
use shared::store::attempts::CallRecord;
use shared::store::notes::{self, Note};

use super::super::case::Case;
use super::notes_only;
use crate::attention::Attention;
use crate::effects::{Effects, Wish};
use crate::outcome::{Outcome, Ran};
use crate::run::Run;

/// An append may be under way for so long after it was sent (wire contract 12.2).
const UNDER_WAY: Duration = Duration::from_secs(65);

/// When a note is looked for after its first send.
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
    if note.first_sent_at.is_some() {
        match look_up(run, case, note).await? {
            Known::Missing => still_under_way(run, note)?,
            known => return Ok(known),
        }
    }
    if !notes::mark_sending(run.ctx.store.conn(), note.id, run.now()).await? {
        return Ok(Known::There);
    }
    append(run, case, note).await?;
    Ok(Known::There)
}

async fn append(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<()> {
    let text = format!("{}\n({}) {}", note.text, note.author, note.marker);
    let fields = Fields::new().with(element(note), text);
    let options = WriteOptions {
        echo: ReadOptions::fields(["sys_id", "sys_mod_count", "sys_updated_on"]),
        input_display_value: false,
    };
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    let answer = run
        .write(case.seat.table.update(sys_id, &fields, &options))
        .await?;
    match answer {
        Ok(_) => Ok(()),
        Err(error) if error.may_have_committed() => Err(unclear(note, &error).into()),
        Err(error) => Err(case.seat.judge(run, &error).into()),
    }
}

/// The first time a look is worth it soon; after a second send only when it must have arrived.
fn unclear(note: &Note, error: &Error) -> Outcome {
    let after = if note.first_sent_at.is_none() {
        FIRST_LOOK
    } else {
        UNDER_WAY
    };
    Outcome::Retry {
        class: "note_unclear",
        after: Some(after),
        message: error.to_string(),
    }
}

async fn look_up(run: &Run<'_>, case: &Case<'_>, note: &Note) -> Ran<Known> {
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    let journals = case.seat.connection.client.journals();
    let search = journals
        .find_marker(case.seat.table.name(), sys_id, element(note), &note.marker)
        .await;
    match search {
        Ok(found) => {
            run.record(looked_up(case, "ok"));
            Ok(match found {
                MarkerSearch::Found => Known::There,
                MarkerSearch::Absent => Known::Missing,
                MarkerSearch::Unreadable => Known::Unsure,
            })
        }
        Err(error) => {
            run.record(looked_up(case, error.class_name()));
            Err(case.seat.judge(run, &error).into())
        }
    }
}

/// The search is one to two calls of the connector, which gives no more than its result.
fn looked_up(case: &Case<'_>, class: &str) -> CallRecord {
    CallRecord {
        method: "GET".to_owned(),
        path: format!(
            "/api/now/table/sys_journal_field ({})",
            case.seat.table.name()
        ),
        status: None,
        class: class.to_owned(),
        transaction_id: None,
        duration_ms: 0,
    }
}

/// The journal does not show it, but it may be on its way.
fn still_under_way(run: &Run<'_>, note: &Note) -> Ran<()> {
    let since = note
        .first_sent_at
        .map(|at| (run.now() - at).to_std().unwrap_or_default());
    let left = UNDER_WAY.saturating_sub(since.unwrap_or(UNDER_WAY));
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
