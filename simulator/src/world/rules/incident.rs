//! The life of an incident (wire contract 3.2).

use super::Draft;
use crate::world::Act;
use crate::world::time::stamp;

pub(super) fn before(act: &Act<'_>, draft: &mut Draft<'_>) {
    keep_states_in_step(draft);
    if draft.changes("assigned_to")
        && !draft.new.get("assigned_to").is_empty()
        && draft.new.get("state") == "1"
    {
        move_to(draft, "2");
    }
    if caller_answers(act, draft) {
        move_to(draft, "2");
    }
    if draft.new.get("state") != "3" {
        draft.new.set("hold_reason", "");
    }
    if !draft.changes("state") {
        return;
    }
    match draft.new.get("state") {
        "6" => resolve(act, draft),
        "7" => {
            if draft.new.get("resolved_at").is_empty() {
                resolve(act, draft);
            }
        }
        "8" => {}
        _ => reopen(act, draft),
    }
}

/// Writing `state` or `incident_state` alone writes the other; `state` wins when both differ.
fn keep_states_in_step(draft: &mut Draft<'_>) {
    let only_incident_state = draft.changes("incident_state") && !draft.changes("state");
    let leader = if only_incident_state && draft.old.is_some() {
        "incident_state"
    } else {
        "state"
    };
    let value = draft.new.get(leader).to_owned();
    move_to(draft, &value);
}

fn move_to(draft: &mut Draft<'_>, state: &str) {
    draft.new.set("state", state);
    draft.new.set("incident_state", state);
}

/// A comment of the caller ends "On Hold, Awaiting Caller".
fn caller_answers(act: &Act<'_>, draft: &Draft<'_>) -> bool {
    let comments = draft
        .entries
        .iter()
        .any(|(element, _)| element == "comments");
    let waits = draft.was("state") == "3"
        && draft.new.get("state") == "3"
        && draft.new.get("hold_reason") == "1";
    comments && waits && draft.new.get("caller_id") == act.actor.id
}

fn resolve(act: &Act<'_>, draft: &mut Draft<'_>) {
    draft.new.set("resolved_at", stamp(act.now));
    draft.new.set("resolved_by", act.actor.id.as_str());
}

fn reopen(act: &Act<'_>, draft: &mut Draft<'_>) {
    if !matches!(draft.was("state"), "6" | "7" | "8") {
        return;
    }
    draft.new.set(
        "reopen_count",
        (draft.new.number("reopen_count") + 1).to_string(),
    );
    draft.new.set("reopened_by", act.actor.id.as_str());
    draft.new.set("reopened_time", stamp(act.now));
    for column in ["resolved_at", "resolved_by", "closed_at", "closed_by"] {
        draft.new.set(column, "");
    }
}
