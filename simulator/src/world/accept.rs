//! Which of the values somebody gives may be stored, and in which form. Nothing here is an error:
//! what may not be stored is dropped without a word, as the platform does (wire contract 2.6).

use std::collections::BTreeMap;

use super::column::{Column, Kind};
use super::time::{parse_local, parse_stamp, stamp};
use super::{Act, Input, World};

/// Values by column as a client gives them; an empty value clears the column.
pub(crate) type Given = BTreeMap<String, String>;

/// What is left of the given values.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) values: Vec<(String, String)>,
    /// Journal entries: element and text.
    pub(crate) entries: Vec<(String, String)>,
}

impl World {
    /// Sorts out what the actor may write to columns of `table`, seen as that table (writing an
    /// incident through `task` offers the columns of `task` only).
    pub(crate) fn accept(
        &self,
        act: &Act<'_>,
        table: &str,
        given: &Given,
        input: Input,
    ) -> Accepted {
        let mut accepted = Accepted::default();
        for (name, value) in given {
            let Some(column) = self.dictionary.column(table, name) else {
                continue;
            };
            if !act.actor.system && !self.may_set(act, table, column) {
                continue;
            }
            match column.kind {
                Kind::Journal if value.trim().is_empty() => {}
                Kind::Journal => {
                    let text = mangled(act, value.clone());
                    accepted.entries.push((name.clone(), text));
                }
                _ => accepted.values.extend(
                    self.stored(act, table, column, value, input)
                        .map(|value| (name.clone(), value)),
                ),
            }
        }
        accepted
    }

    fn may_set(&self, act: &Act<'_>, table: &str, column: &Column) -> bool {
        let settable = !column.read_only
            && !matches!(column.kind, Kind::Guid | Kind::Password | Kind::JournalList);
        settable && self.writes_field(act, table, &column.name)
    }

    /// The text to store, or nothing when the value does not fit its column.
    fn stored(
        &self,
        act: &Act<'_>,
        table: &str,
        column: &Column,
        value: &str,
        input: Input,
    ) -> Option<String> {
        if value.is_empty() {
            return Some(String::new());
        }
        match column.kind {
            Kind::Boolean => match value {
                "true" | "True" | "TRUE" | "1" => Some("true".to_owned()),
                _ => Some("false".to_owned()),
            },
            Kind::Integer => integer(value),
            Kind::Decimal => value.parse::<f64>().ok().map(|_| value.to_owned()),
            Kind::Choice | Kind::IntChoice => self.choice(act, table, column, value, input),
            Kind::Reference if input == Input::Display => {
                let target = column.reference.as_deref()?;
                if self.row(target, value).is_some() {
                    Some(value.to_owned())
                } else {
                    self.find_by_display(target, value)
                }
            }
            Kind::DateTime if input == Input::Display => {
                parse_local(value, act.actor.zone).map(stamp)
            }
            Kind::DateTime => parse_stamp(value)
                .map(stamp)
                .or_else(|| parse_local(value, chrono_tz::Tz::UTC).map(stamp)),
            _ => {
                let text: String = value.chars().take(column.max_length.max(1)).collect();
                Some(mangled(act, text))
            }
        }
    }

    fn choice(
        &self,
        act: &Act<'_>,
        table: &str,
        column: &Column,
        value: &str,
        input: Input,
    ) -> Option<String> {
        let labelled = (input == Input::Display)
            .then(|| {
                self.choices
                    .by_label(&self.dictionary, table, &column.name, value)
            })
            .flatten();
        let value = labelled.unwrap_or(value);
        let admitted = !act.knobs.choice_strict
            || self
                .choices
                .admits(&self.dictionary, table, &column.name, value);
        admitted.then(|| value.to_owned())
    }
}

/// Whole numbers, also written with a fraction of zero as JSON clients do.
fn integer(value: &str) -> Option<String> {
    let value = value.trim();
    if value.parse::<i64>().is_ok() {
        return Some(value.to_owned());
    }
    let whole = value
        .split_once('.')
        .filter(|(_, fraction)| fraction.bytes().all(|digit| digit == b'0'));
    whole
        .filter(|(whole, _)| whole.parse::<i64>().is_ok())
        .map(|(whole, _)| whole.to_owned())
}

/// What a column of three-byte characters and a form post make of a text (wire contract 1.5).
fn mangled(act: &Act<'_>, text: String) -> String {
    if !act.knobs.mangle_text {
        return text;
    }
    let kept = |letter: char| {
        if letter.len_utf8() > 3 {
            '\u{fffd}'
        } else {
            letter
        }
    };
    let text: String = text.chars().map(kept).collect();
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
