//! Who may say what about a request (the mastery rules of ARCHITECTURE.md, "Mirroring").

use shared::request::RequestState;
use shared::route::Mastery;

use super::status_change::Word;

/// What a word of the source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Moves the request to this state, and the ticket after it.
    Move(RequestState),
    /// Tells whoever works on the ticket, in a work note; ServiceNow goes on deciding.
    Tell,
    /// Sets the end of validity, and tells.
    Extend,
    /// Writes the comment into the journal, nothing else.
    Comment,
}

/// What `word` does where `mastery` says who decides; `None` when it is not the source's to say.
pub(crate) fn effect(mastery: Mastery, word: Word) -> Option<Effect> {
    let moved = |state| (mastery == Mastery::Source).then_some(Effect::Move(state));
    match word {
        Word::Comment => Some(Effect::Comment),
        Word::Extended => Some(Effect::Extend),
        Word::Withdrawn => Some(Effect::Move(RequestState::Cancelled)),
        Word::Approved => moved(RequestState::InProgress).or(Some(Effect::Tell)),
        Word::InProgress => moved(RequestState::InProgress),
        Word::OnHold => moved(RequestState::OnHold),
        Word::Fulfilled => moved(RequestState::Fulfilled),
        Word::Denied => moved(RequestState::Denied),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_rules_as_a_table() {
        let mut table = String::new();
        for word in Word::ALL {
            let of = |mastery| {
                effect(mastery, word).map_or("refused".to_owned(), |effect| format!("{effect:?}"))
            };
            writeln!(
                table,
                "{:<12} servicenow: {:<18} source: {}",
                word.as_str(),
                of(Mastery::Servicenow),
                of(Mastery::Source)
            )
            .unwrap();
        }
        insta::assert_snapshot!(table);
    }
}
