//! The state model of changes: no jumps (wire contract 3.6).

use super::Draft;
use crate::refusal::Refusal;
use crate::world::Act;

/// Name and sys_id of the rule that refuses jumps.
const RULE: (&str, &str) = (
    "Change Model: Check State Transition",
    "e2a1b5c387612300e0ef0cf888cb0bbf",
);

pub(super) fn before(act: &Act<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
    if act.actor.system || draft.old.is_none() || !draft.changes("state") {
        return Ok(());
    }
    let (from, to) = (draft.was("state"), draft.new.get("state"));
    if is_legal(draft.new.get("type"), from, to) {
        return Ok(());
    }
    Err(Refusal::RuleAbort {
        table: draft.class.to_owned(),
        rule: RULE.0.to_owned(),
        rule_id: RULE.1.to_owned(),
    })
}

/// Normal goes through all states, standard skips Assess and Authorize, emergency skips Assess;
/// nothing is cancelled from Review on; Assess and Authorize may fall back to New.
fn is_legal(kind: &str, from: &str, to: &str) -> bool {
    let path: &[&str] = match kind {
        "standard" => &["-5", "-2", "-1", "0", "3"],
        "emergency" => &["-5", "-3", "-2", "-1", "0", "3"],
        _ => &["-5", "-4", "-3", "-2", "-1", "0", "3"],
    };
    let place = |state| path.iter().position(|step| *step == state);
    match (from, to) {
        ("-4" | "-3", "-5") => true,
        (_, "4") => matches!(from, "-5" | "-4" | "-3" | "-2" | "-1"),
        _ => place(from)
            .zip(place(to))
            .is_some_and(|(from, to)| to == from + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_move_one_step_at_a_time() {
        assert!(is_legal("normal", "-5", "-4"));
        assert!(!is_legal("normal", "-5", "-2"));
        assert!(is_legal("standard", "-5", "-2"));
        assert!(is_legal("emergency", "-5", "-3"));
        assert!(is_legal("normal", "-1", "4"));
        assert!(!is_legal("normal", "0", "4"));
        assert!(!is_legal("normal", "3", "0"));
    }
}
