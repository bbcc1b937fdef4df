//! From the written form of a route to the compiled one; every problem is reported, with the key it stands under.

use std::collections::BTreeMap;

use super::{PersonRule, Route};
use crate::config::RouteSettings;
use crate::request::RequestState;
use crate::state_map::{StateMap, StateMapParts};
use crate::template::{FieldProblem, FieldTemplates};
use crate::ticket::TicketKind;

/// Longest text of the stock columns of `task` (wire contract 3.1); longer text would be cut without a word.
const STOCK_LENGTHS: [(&str, usize); 4] = [
    ("short_description", 160),
    ("description", 4000),
    ("close_notes", 4000),
    ("correlation_display", 100),
];

/// Columns the bridge fills itself.
const OURS: [&str; 5] = [
    "sys_id",
    "correlation_id",
    "correlation_display",
    "comments",
    "work_notes",
];

impl Route {
    /// Compiles a route. `FieldProblem::column` holds the key below `routes[<name>]`.
    pub fn compile(settings: &RouteSettings) -> Result<Self, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let kind = keep(&mut problems, ticket_kind(settings));
        let states = keep(&mut problems, states(settings, kind.as_ref()));
        let fields = keep(&mut problems, fields(settings));
        match (kind, states, fields) {
            (Some(kind), Some(states), Some(fields)) if problems.is_empty() => Ok(Self {
                name: settings.name.clone(),
                source: settings.source.clone(),
                category: settings.category.clone(),
                connection: settings.connection.clone(),
                enabled: settings.enabled,
                kind,
                mastery: settings.mastery,
                give_up_after: settings.give_up_after(),
                person: settings.person.as_ref().map(|it| PersonRule {
                    field: it.field.clone(),
                    match_on: it.r#match.clone(),
                }),
                fields,
                states,
            }),
            _ => Err(problems),
        }
    }
}

fn keep<T>(problems: &mut Vec<FieldProblem>, result: Result<T, Vec<FieldProblem>>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}

fn problem(
    column: impl Into<String>,
    problem: impl Into<String>,
    fix: impl Into<String>,
) -> FieldProblem {
    FieldProblem {
        column: column.into(),
        problem: problem.into(),
        fix: fix.into(),
    }
}

fn ticket_kind(settings: &RouteSettings) -> Result<TicketKind, Vec<FieldProblem>> {
    settings.ticket_kind().ok_or_else(|| {
        vec![problem(
            "table",
            "`table` and `catalog_item`: exactly one must be given",
            "give one, leave the other empty",
        )]
    })
}

fn fields(settings: &RouteSettings) -> Result<FieldTemplates, Vec<FieldProblem>> {
    let mut problems: Vec<FieldProblem> = settings
        .fields
        .keys()
        .filter(|column| OURS.contains(&column.as_str()))
        .map(|column| {
            problem(
                format!("fields.{column}"),
                "the bridge fills this column itself",
                "remove the template",
            )
        })
        .collect();
    if let Some(person) = settings
        .person
        .as_ref()
        .filter(|person| settings.fields.contains_key(&person.field))
    {
        let key = format!("fields.{}", person.field);
        problems.push(problem(
            key,
            "`person` fills this column",
            "remove the template, or the [routes.person] table",
        ));
    }
    let length = |column: &str| {
        let stock = || {
            STOCK_LENGTHS
                .iter()
                .find(|(name, _)| *name == column)
                .map(|(_, length)| *length)
        };
        settings.max_lengths.get(column).copied().or_else(stock)
    };
    match FieldTemplates::compile(&settings.fields, length) {
        Ok(compiled) if problems.is_empty() => Ok(compiled),
        Ok(_) => Err(problems),
        Err(found) => {
            let below = |it: FieldProblem| FieldProblem {
                column: format!("fields.{}", it.column),
                ..it
            };
            problems.extend(found.into_iter().map(below));
            Err(problems)
        }
    }
}

fn states(
    settings: &RouteSettings,
    kind: Option<&TicketKind>,
) -> Result<StateMap, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let parts = StateMapParts {
        states_in: settings
            .states_in
            .as_ref()
            .map(|map| words(&mut problems, "states_in", map)),
        approvals_in: (!settings.approvals_in.is_empty())
            .then(|| words(&mut problems, "approvals_in", &settings.approvals_in)),
        close_codes_in: words(&mut problems, "close_codes_in", &settings.close_codes_in),
        states_out: settings.states_out.as_ref().map(|map| {
            let mut out = BTreeMap::new();
            for (word, columns) in map {
                if let Some(state) = state(&mut problems, &format!("states_out.{word}"), word) {
                    out.insert(state, columns.clone());
                }
            }
            out
        }),
        paths_out: paths(&mut problems, &settings.paths_out),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    StateMap::compile(kind.map_or("task", TicketKind::table), parts)
}

fn words(
    problems: &mut Vec<FieldProblem>,
    key: &str,
    map: &BTreeMap<String, String>,
) -> BTreeMap<String, RequestState> {
    map.iter()
        .filter_map(|(value, word)| {
            Some((
                value.clone(),
                state(problems, &format!("{key}.{value}"), word)?,
            ))
        })
        .collect()
}

fn state(problems: &mut Vec<FieldProblem>, key: &str, word: &str) -> Option<RequestState> {
    match word.parse::<RequestState>() {
        Ok(RequestState::Accepted | RequestState::Opening) => {
            let fix = "use open, in_progress, on_hold, fulfilled, denied or cancelled";
            problems.push(problem(
                key,
                format!("`{word}` is a state before the ticket"),
                fix,
            ));
            None
        }
        Ok(state) => Some(state),
        Err(unknown) => {
            let fix = "use open, in_progress, on_hold, fulfilled, denied or cancelled";
            problems.push(problem(
                key,
                format!("`{}` is no request state", unknown.0),
                fix,
            ));
            None
        }
    }
}

fn paths(
    problems: &mut Vec<FieldProblem>,
    written: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<(String, String), Vec<String>> {
    let mut paths = BTreeMap::new();
    for (jump, through) in written {
        match jump.split_once("->") {
            Some((from, to)) if !from.trim().is_empty() && !to.trim().is_empty() => {
                paths.insert(
                    (from.trim().to_owned(), to.trim().to_owned()),
                    through.clone(),
                );
            }
            _ => problems.push(problem(
                format!("paths_out.{jump}"),
                format!("`{jump}` does not say from where to where"),
                "write it as \"1->6\" = [\"2\"]",
            )),
        }
    }
    paths
}
