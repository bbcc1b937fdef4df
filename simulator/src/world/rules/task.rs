//! What all tasks have in common: who opened them, when they close, how often they move.

use super::Draft;
use crate::world::Act;
use crate::world::time::stamp;

pub(super) fn before(act: &Act<'_>, draft: &mut Draft<'_>) {
    if draft.old.is_none() {
        open(act, draft);
    } else {
        count_moves(draft);
    }
    let closed = is_closed(draft);
    let active = if closed { "false" } else { "true" };
    let moved = draft.changes("state") || draft.changes("request_state");
    if draft.old.is_none() || moved {
        draft.new.set("active", active);
    }
    if moved && closed && draft.new.get("closed_at").is_empty() {
        draft.new.set("closed_at", stamp(act.now));
        draft.new.set("closed_by", act.actor.id.as_str());
    }
    if moved && !closed {
        draft.new.set("closed_at", "");
        draft.new.set("closed_by", "");
    }
}

fn open(act: &Act<'_>, draft: &mut Draft<'_>) {
    let number = draft.new.get("number").to_owned();
    draft.new.set("task_effective_number", number);
    for (column, value) in [
        ("opened_at", stamp(act.now)),
        ("opened_by", act.actor.id.clone()),
    ] {
        if draft.new.get(column).is_empty() {
            draft.new.set(column, value);
        }
    }
}

fn count_moves(draft: &mut Draft<'_>) {
    let moved = ["assignment_group", "assigned_to"]
        .iter()
        .any(|column| draft.changes(column) && !draft.was(column).is_empty());
    if moved {
        draft.new.set(
            "reassignment_count",
            (draft.new.number("reassignment_count") + 1).to_string(),
        );
    }
}

/// The closed states differ by class: 3 is On Hold for an incident (wire contract 3.3).
fn is_closed(draft: &Draft<'_>) -> bool {
    let state = draft.new.get("state");
    match draft.class {
        "incident" => matches!(state, "7" | "8"),
        "problem" => state == "107",
        "change_request" => matches!(state, "3" | "4"),
        "sc_request" => {
            matches!(state, "3" | "4" | "7")
                || draft.new.get("request_state").starts_with("closed_")
        }
        _ => matches!(state, "3" | "4" | "7"),
    }
}
