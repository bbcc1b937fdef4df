//! Between ServiceNow's values and the states of a request: many-to-one in, one-to-one out, by value, never by label.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::request::RequestState;
use crate::template::{FieldProblem, FieldTemplates, TemplateInput};

mod builtin;
mod unmapped;

pub use unmapped::{UNMAPPED, Unmapped};

/// The raw values of a ticket that decide where its request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed<'a> {
    /// `state`.
    pub state: &'a str,
    /// `approval`.
    pub approval: &'a str,
    /// `close_code`.
    pub close_code: &'a str,
}

/// What a ticket's values say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// The request stands here.
    To(RequestState),
    /// Nobody said what this value means; the request stays where it is and somebody is told (T9).
    Unmapped {
        /// The column.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

/// The entry of a map that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The key of the configuration: `states_in`, `approvals_in` or `close_codes_in`.
    pub key: &'static str,
    /// The value that it names.
    pub value: &'a str,
    /// Whether it stands in the built-in map of the table, and not in the configuration.
    pub built_in: bool,
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.built_in {
            " of the built-in map"
        } else {
            ""
        };
        write!(f, "{}.{:?}{origin}", self.key, self.value)
    }
}

/// What a map said of a ticket when it was last asked; kept with the ticket, so that a mended map is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Fingerprint of the map that was asked.
    pub map: String,
    /// The entry that decided, as people read it; `None` when there was none.
    pub rule: Option<String>,
    /// Where it put the request; `None` when the value was not mapped.
    pub state: Option<RequestState>,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

/// The map of one route.
#[derive(Debug, Clone)]
pub struct StateMap {
    /// Of all that decides where a ticket puts its request.
    fingerprint: String,
    states_are_built_in: bool,
    approvals_are_built_in: bool,
    writes_are_built_in: bool,
    states_in: BTreeMap<String, RequestState>,
    approvals_in: BTreeMap<String, RequestState>,
    close_codes_in: BTreeMap<String, RequestState>,
    states_out: BTreeMap<RequestState, FieldTemplates>,
    /// `state` of `states_out`, where it is no template.
    values_out: BTreeMap<RequestState, String>,
    paths_out: BTreeMap<(String, String), Vec<String>>,
}

/// The parts of a map, each already in its own words; `None` takes the built-in one of the table.
#[derive(Debug, Clone, Default)]
pub struct StateMapParts {
    /// `state` value → request state.
    pub states_in: Option<BTreeMap<String, RequestState>>,
    /// `approval` value → request state; looked at before `state`.
    pub approvals_in: Option<BTreeMap<String, RequestState>>,
    /// `close_code` → request state, for tickets whose `state` says fulfilled.
    pub close_codes_in: BTreeMap<String, RequestState>,
    /// Request state → column → template.
    pub states_out: Option<BTreeMap<RequestState, BTreeMap<String, String>>>,
    /// (from, to) → the `state` values to go through.
    pub paths_out: BTreeMap<(String, String), Vec<String>>,
}

impl StateMap {
    /// Builds the map of a route on `table`. Problems name `states_out.<state>.<column>`.
    pub fn compile(table: &str, parts: StateMapParts) -> Result<Self, Vec<FieldProblem>> {
        let writes_are_built_in = parts.states_out.is_none();
        let out = parts
            .states_out
            .unwrap_or_else(|| builtin::states_out(table));
        let values_out = out
            .iter()
            .filter_map(|(state, columns)| Some((*state, columns.get("state")?.clone())))
            .filter(|(_, value)| !value.contains('{'))
            .collect();
        let mut states_out = BTreeMap::new();
        let mut problems = Vec::new();
        for (state, columns) in out {
            match FieldTemplates::compile(&columns, |column| {
                (column == "close_notes").then_some(4000)
            }) {
                Ok(compiled) => drop(states_out.insert(state, compiled)),
                Err(found) => problems.extend(found.into_iter().map(|problem| FieldProblem {
                    column: format!("states_out.{state}.{}", problem.column),
                    ..problem
                })),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut paths_out = builtin::paths_out(table);
        paths_out.extend(parts.paths_out);
        let states_are_built_in = parts.states_in.is_none();
        let approvals_are_built_in = parts.approvals_in.is_none();
        let states_in = parts.states_in.unwrap_or_else(|| builtin::states_in(table));
        let approvals_in = parts.approvals_in.unwrap_or_else(builtin::approvals_in);
        let close_codes_in = parts.close_codes_in;
        Ok(Self {
            fingerprint: fingerprint(&[&states_in, &approvals_in, &close_codes_in]),
            states_are_built_in,
            approvals_are_built_in,
            writes_are_built_in,
            states_in,
            approvals_in,
            close_codes_in,
            states_out,
            values_out,
            paths_out,
        })
    }

    /// Where a ticket with these values puts its request.
    pub fn read(&self, seen: &Observed<'_>) -> Mapped {
        match self.rule(seen) {
            Some((_, state)) => Mapped::To(state),
            None => Mapped::Unmapped {
                field: "state",
                value: seen.state.to_owned(),
            },
        }
    }

    /// The entry that decides for these values, and what it says; `None` when the state is not mapped.
    pub fn rule<'a>(&self, seen: &Observed<'a>) -> Option<(Rule<'a>, RequestState)> {
        let rule = |key, value, built_in| Rule {
            key,
            value,
            built_in,
        };
        if let Some(state) = self.approvals_in.get(seen.approval) {
            let rule = rule("approvals_in", seen.approval, self.approvals_are_built_in);
            return Some((rule, *state));
        }
        let state = *self.states_in.get(seen.state)?;
        let coded = self.close_codes_in.get(seen.close_code);
        if let Some(coded) = coded.filter(|_| state == RequestState::Fulfilled) {
            return Some((rule("close_codes_in", seen.close_code, false), *coded));
        }
        let rule = rule("states_in", seen.state, self.states_are_built_in);
        Some((rule, state))
    }

    /// What it says of these values, to be kept with the ticket.
    pub fn decide(&self, seen: &Observed<'_>, now: DateTime<Utc>) -> Decided {
        let found = self.rule(seen);
        Decided {
            map: self.fingerprint.clone(),
            rule: found.map(|(rule, _)| rule.to_string()),
            state: found.map(|(_, state)| state),
            at: now,
        }
    }

    /// The same for maps that decide the same, and another one as soon as an entry differs.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The `state` values that mean something, for somebody who has to add one.
    pub fn states_in(&self) -> &BTreeMap<String, RequestState> {
        &self.states_in
    }

    /// The columns to write so that the ticket shows `input.state`; `None` when the map writes nothing for it.
    pub fn write(
        &self,
        input: &TemplateInput<'_>,
    ) -> Result<Option<BTreeMap<String, String>>, Vec<FieldProblem>> {
        let Some(templates) = input.state.and_then(|state| self.states_out.get(&state)) else {
            return Ok(None);
        };
        templates.render(input).map(Some)
    }

    /// The `state` that is written for a request in this state, where that is always the same.
    pub fn value_out(&self, state: RequestState) -> Option<&str> {
        self.values_out.get(&state).map(String::as_str)
    }

    /// The `state` that is written for each state of a request, where that is always the same.
    pub fn values_out(&self) -> impl Iterator<Item = (RequestState, &str)> {
        let values = self.values_out.iter();
        values.map(|(state, value)| (*state, value.as_str()))
    }

    /// Whether `states_in` is the built-in one of the table.
    pub fn states_are_built_in(&self) -> bool {
        self.states_are_built_in
    }

    /// Whether `states_out` is the built-in one of the table.
    pub fn writes_are_built_in(&self) -> bool {
        self.writes_are_built_in
    }

    /// Every entry that reads a value, with the column that it reads, in the order of [`Self::meanings`].
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, Rule<'_>)> {
        self.meanings().map(move |(column, value, _)| {
            let (key, built_in) = match column {
                "approval" => ("approvals_in", self.approvals_are_built_in),
                "close_code" => ("close_codes_in", false),
                _ => ("states_in", self.states_are_built_in),
            };
            let rule = Rule {
                key,
                value,
                built_in,
            };
            (column, rule)
        })
    }

    /// Column, value and the request state it means: `approval` first, as it is looked at first, `close_code` last.
    pub fn meanings(&self) -> impl Iterator<Item = (&'static str, &str, RequestState)> {
        let columns = [
            ("approval", &self.approvals_in),
            ("state", &self.states_in),
            ("close_code", &self.close_codes_in),
        ];
        columns.into_iter().flat_map(|(column, map)| {
            map.iter()
                .map(move |(value, state)| (column, value.as_str(), *state))
        })
    }

    /// The states of a request that are written to the ticket, each with the columns that are.
    pub fn written(&self) -> impl Iterator<Item = (RequestState, Vec<&str>)> {
        self.states_out
            .iter()
            .map(|(state, columns)| (*state, columns.columns().collect()))
    }

    /// Jumps of `state` that are taken step by step when the instance refuses them: from, to, and what lies between.
    pub fn detours(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        self.paths_out
            .iter()
            .map(|((from, to), through)| (from.as_str(), to.as_str(), through.as_slice()))
    }

    /// The `state` values to go through when the instance refuses the jump `from` → `to`; empty when none is known.
    pub fn path(&self, from: &str, to: &str) -> Vec<String> {
        self.paths_out
            .get(&(from.to_owned(), to.to_owned()))
            .cloned()
            .unwrap_or_default()
    }
}

/// 16 hex digits over the entries that decide where a ticket puts its request.
fn fingerprint(maps: &[&BTreeMap<String, RequestState>]) -> String {
    let mut digest = Sha256::new();
    for map in maps {
        digest.update(map.len().to_be_bytes());
        for (value, state) in *map {
            // Lengths go first, so that no two maps are written alike.
            digest.update(value.len().to_be_bytes());
            digest.update(value);
            digest.update(state.as_str().len().to_be_bytes());
            digest.update(state.as_str());
        }
    }
    let hex = |byte: &u8| format!("{byte:02x}");
    digest.finalize().iter().take(8).map(hex).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn builtin(table: &str) -> StateMap {
        StateMap::compile(table, StateMapParts::default()).unwrap()
    }

    fn seen(state: &str) -> Observed<'_> {
        Observed {
            state,
            approval: "not requested",
            close_code: "",
        }
    }

    #[test]
    fn the_builtin_maps_as_people_read_them() {
        let mut text = String::new();
        for table in [
            "incident",
            "sc_task",
            "sc_req_item",
            "change_request",
            "problem",
        ] {
            let map = builtin(table);
            writeln!(text, "{table}").unwrap();
            for (value, state) in &map.states_in {
                writeln!(text, "  {value} -> {state}").unwrap();
            }
            for (state, columns) in &map.states_out {
                writeln!(
                    text,
                    "  {state} -> {:?}",
                    columns.columns().collect::<Vec<_>>()
                )
                .unwrap();
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn three_is_on_hold_on_an_incident_and_done_on_a_task() {
        assert_eq!(
            builtin("incident").read(&seen("3")),
            Mapped::To(RequestState::OnHold)
        );
        assert_eq!(
            builtin("sc_task").read(&seen("3")),
            Mapped::To(RequestState::Fulfilled)
        );
    }

    #[test]
    fn a_rejected_approval_denies_whatever_the_state() {
        let rejected = Observed {
            state: "1",
            approval: "rejected",
            close_code: "",
        };
        assert_eq!(
            builtin("sc_req_item").read(&rejected),
            Mapped::To(RequestState::Denied)
        );
    }

    #[test]
    fn a_close_code_may_turn_closed_into_denied() {
        let parts = StateMapParts {
            close_codes_in: BTreeMap::from([(
                "No resolution provided".to_owned(),
                RequestState::Denied,
            )]),
            ..StateMapParts::default()
        };
        let map = StateMap::compile("incident", parts).unwrap();
        let closed = |close_code| {
            map.read(&Observed {
                state: "6",
                approval: "",
                close_code,
            })
        };
        assert_eq!(
            closed("No resolution provided"),
            Mapped::To(RequestState::Denied)
        );
        assert_eq!(
            closed("Solution provided"),
            Mapped::To(RequestState::Fulfilled)
        );
    }

    #[test]
    fn the_entry_that_decided_is_named() {
        let parts = StateMapParts {
            close_codes_in: BTreeMap::from([("Refused".to_owned(), RequestState::Denied)]),
            ..StateMapParts::default()
        };
        let map = StateMap::compile("incident", parts).unwrap();
        let told = |state, approval, close_code| {
            let seen = Observed {
                state,
                approval,
                close_code,
            };
            map.decide(&seen, DateTime::UNIX_EPOCH).rule
        };
        let told = [
            told("2", "", ""),
            told("6", "", "Refused"),
            told("6", "", "Solved"),
            told("1", "rejected", ""),
            told("42", "", ""),
        ];
        assert_eq!(
            told.map(Option::unwrap_or_default),
            [
                "states_in.\"2\" of the built-in map",
                "close_codes_in.\"Refused\"",
                "states_in.\"6\" of the built-in map",
                "approvals_in.\"rejected\" of the built-in map",
                "",
            ]
        );
    }

    #[test]
    fn a_fingerprint_differs_with_every_entry_and_with_nothing_else() {
        let map = |states: &[(&str, RequestState)], codes: &[(&str, RequestState)]| {
            let owned = |pairs: &[(&str, RequestState)]| {
                let own = |(value, state): &(&str, RequestState)| ((*value).to_owned(), *state);
                pairs.iter().map(own).collect::<BTreeMap<_, _>>()
            };
            let parts = StateMapParts {
                states_in: Some(owned(states)),
                close_codes_in: owned(codes),
                ..StateMapParts::default()
            };
            let map = StateMap::compile("incident", parts).unwrap();
            map.fingerprint().to_owned()
        };
        let (open, done) = (RequestState::Open, RequestState::Fulfilled);
        let first = map(&[("1", open)], &[]);
        assert_eq!(first, map(&[("1", open)], &[]));
        assert_eq!(first.len(), 16);
        for other in [
            map(&[("1", done)], &[]),
            map(&[("2", open)], &[]),
            map(&[("1", open), ("2", open)], &[]),
            map(&[], &[("1", open)]),
            map(&[("1", open)], &[("1", open)]),
        ] {
            assert_ne!(first, other);
        }
        assert_ne!(
            builtin("incident").fingerprint(),
            builtin("sc_task").fingerprint()
        );
    }

    #[test]
    fn an_illegal_jump_knows_its_way() {
        assert_eq!(
            builtin("change_request").path("-5", "3"),
            ["-4", "-3", "-2", "-1", "0"]
        );
        assert_eq!(builtin("incident").path("1", "6"), ["2"]);
        assert!(builtin("incident").path("1", "2").is_empty());
    }

    proptest! {
        #[test]
        fn a_value_nobody_mapped_is_never_guessed(value in "[0-9]{2,4}|[a-z]{1,8}|") {
            let mapped = builtin("incident").read(&seen(&value));
            prop_assert_eq!(mapped, Mapped::Unmapped { field: "state", value });
        }
    }
}
