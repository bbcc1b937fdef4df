//! What a change leaves in the journal of the ticket.

use chrono::TimeDelta;
use shared::request::Request;
use shared::store::notes::{self, Note};
use shared::store::{StoreError, new_id};

use super::mastery::Effect;
use super::status_change::StatusChange;
use super::transaction::Work;
use crate::Scheduler;

/// Stores the notes of a change: a decision that the ticket does not follow by itself, in words, and the comment. False
/// when there is nothing new. A decision is noted once, however often it is said; a comment each time.
pub(crate) async fn insert_notes(
    scheduler: &Scheduler,
    work: &Work,
    request: &Request,
    said: &StatusChange,
    effect: Effect,
) -> Result<bool, StoreError> {
    let mut texts = Vec::new();
    if matches!(effect, Effect::Tell | Effect::Extend) {
        let text = decision(said, &request.source);
        let before = notes::of_request(&work.tx, request.id).await?;
        if before.iter().all(|note| note.text != text) {
            texts.push((text, false));
        }
    }
    texts.extend(said.comment.clone().map(|comment| (comment, said.visible)));
    let noted = !texts.is_empty();
    // Notes are written in the order of this time; ids of one millisecond are random.
    let mut created_at = scheduler.now();
    for (text, visible) in texts {
        let id = new_id(created_at);
        let note = Note {
            id,
            request_id: request.id,
            author: said.actor.as_ref().unwrap_or(&request.source).clone(),
            text,
            visible,
            marker: format!("[{} {}]", scheduler.settings.bridge_name, id.simple()),
            first_sent_at: None,
            last_sent_at: None,
            sent_at: None,
            created_at,
        };
        notes::insert(&work.tx, &note).await?;
        created_at += TimeDelta::microseconds(1);
    }
    Ok(noted)
}

fn decision(said: &StatusChange, source: &str) -> String {
    let what = match said.valid_until {
        Some(until) => format!(
            "Validity extended until {}",
            until.format("%Y-%m-%d %H:%M UTC")
        ),
        None => "Approved".to_owned(),
    };
    let by = said
        .actor
        .as_deref()
        .map(|person| format!("by {person} "))
        .unwrap_or_default();
    let why = said
        .reason
        .as_deref()
        .map(|reason| format!("\nReason: {reason}"))
        .unwrap_or_default();
    format!("{what} {by}in {source}.{why}")
}
