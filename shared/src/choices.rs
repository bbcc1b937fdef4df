//! Comparing the choice lists of an instance with a state map, so that drift is found before a ticket shows it (N10). No I/O.
//!
//! The lists are stored as they were read, and compared whenever somebody looks: a map that was mended agrees at once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::state_map::{Rule, StateMap};

/// The column that every map reads.
pub const STATE: &str = "state";
/// Under this table stand the lists that its children have inherited (wire contract 3.9).
pub const PARENT: &str = "task";

/// One row of a choice list, as an instance tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The table whose list it is.
    pub table: String,
    /// The column.
    pub column: String,
    /// The value.
    pub value: String,
    /// What people read.
    pub label: String,
    /// The language of the label.
    pub language: String,
    /// Whether it can still be chosen.
    pub active: bool,
}

/// The choice list of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// The column.
    pub column: String,
    /// The table that holds the list: its own one, or the parent.
    pub table: String,
    /// The choices, active or not, by value.
    pub choices: Vec<Choice>,
}

/// A value that a column may have, or might have had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// What people read, in English where there is that.
    pub label: String,
    /// Whether it can still be chosen.
    pub active: bool,
}

/// How an entry of a map and a list do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// A choice that no entry reads: a ticket that gets it stands still.
    Unread,
    /// A value that is written to tickets and is no active choice: the instance drops it.
    Unwritable,
    /// An entry that decides before `states_in`, or instead of it, and whose value is no active choice: another entry decides now.
    Gone,
    /// An entry of `states_in` whose value is no active choice. Nothing breaks: no ticket gets it any more.
    Idle,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub difference: Difference,
    /// The column.
    pub column: &'static str,
    /// The value.
    pub value: String,
    /// Its label, where the instance has one.
    pub label: Option<String>,
    /// The entry that it is about; the part of the map where one is missing.
    pub entry: String,
    /// The table that holds the list.
    pub table: String,
}

impl Difference {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Unwritable => "unwritable",
            Self::Gone => "gone",
            Self::Idle => "idle",
        }
    }

    /// Whether tickets go wrong because of it.
    pub fn breaks(self) -> bool {
        self != Self::Idle
    }

    /// What to do.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Unread => {
                "say in states_in of the route what the value means, and restart scheduler and workers"
            }
            Self::Unwritable => {
                "write another value in states_out of the route, or have the choice put back in ServiceNow"
            }
            Self::Gone => {
                "give the entry the value that is chosen in its place now, or have the choice put back in ServiceNow"
            }
            Self::Idle => {
                "nothing breaks; take it out of states_in when no open ticket has the value"
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            column,
            value,
            entry,
            table,
            ..
        } = self;
        let label = match self.label.as_deref().unwrap_or_default() {
            "" => String::new(),
            label => format!(" ({label})"),
        };
        match self.difference {
            Difference::Unread => write!(
                f,
                "{entry} has no entry for {value:?}{label}, which can be chosen in {table}.{column}"
            ),
            Difference::Unwritable => write!(
                f,
                "{entry} writes {column} {value:?}{label}, which cannot be chosen in {table}.{column}"
            ),
            Difference::Gone | Difference::Idle => write!(
                f,
                "{entry}{label} waits for a value that cannot be chosen in {table}.{column}"
            ),
        }
    }
}

/// The columns whose lists a map depends on.
pub fn columns(map: &StateMap) -> Vec<&'static str> {
    let mut columns = vec![STATE];
    for (column, _) in map.entries() {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// The lists that hold for `table`: its own, where one of its choices is active, else its parent's. A column without an active choice has
/// no list.
pub fn lists(table: &str, rows: &[Row]) -> Vec<List> {
    let mut columns: Vec<&str> = rows.iter().map(|row| row.column.as_str()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
        .into_iter()
        .filter_map(|column| {
            let holds = |holder: &&str| {
                let mut own = rows
                    .iter()
                    .filter(|row| row.table == **holder && row.column == column);
                own.any(|row| row.active && !row.value.is_empty())
            };
            let holder = [table, PARENT].into_iter().find(holds)?;
            Some(List {
                column: column.to_owned(),
                table: holder.to_owned(),
                choices: choices(holder, column, rows),
            })
        })
        .collect()
}

/// One a value: a list has a row a language, and may have some for each value of another column.
fn choices(table: &str, column: &str, rows: &[Row]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    let mut own: Vec<&Row> = rows
        .iter()
        .filter(|row| row.table == table && row.column == column && !row.value.is_empty())
        .collect();
    own.sort_by_key(|row| (row.value.as_str(), row.language != "en", &row.label));
    for row in own {
        match choices.last_mut().filter(|it| it.value == row.value) {
            Some(known) => known.active |= row.active,
            None => choices.push(Choice {
                value: row.value.clone(),
                label: row.label.clone(),
                active: row.active,
            }),
        }
    }
    choices
}

/// What does not fit. A column without a list is not judged.
pub fn compare(map: &StateMap, lists: &[List]) -> Vec<Finding> {
    let list = |column: &str| lists.iter().find(|list| list.column == column);
    let mut findings = Vec::new();
    if let Some(state) = list(STATE) {
        findings.extend(unread(map, state));
        findings.extend(unwritable(map, state));
    }
    for (column, rule) in map.entries() {
        if let Some(list) = list(column) {
            findings.extend(unused(column, &rule, list));
        }
    }
    findings
}

fn unread(map: &StateMap, list: &List) -> Vec<Finding> {
    let known = map.states_in();
    let unread = list
        .choices
        .iter()
        .filter(|it| it.active && !known.contains_key(&it.value));
    let entry = if map.states_are_built_in() {
        "the built-in states_in"
    } else {
        "states_in"
    };
    unread
        .map(|it| finding(Difference::Unread, STATE, &it.value, entry.to_owned(), list))
        .collect()
}

fn unwritable(map: &StateMap, list: &List) -> Vec<Finding> {
    let built_in = if map.writes_are_built_in() {
        " of the built-in map"
    } else {
        ""
    };
    map.values_out()
        .filter(|(_, value)| !list.offers(value))
        .map(|(state, value)| {
            let entry = format!("states_out.{state}{built_in}");
            finding(Difference::Unwritable, STATE, value, entry, list)
        })
        .collect()
}

fn unused(column: &'static str, rule: &Rule<'_>, list: &List) -> Option<Finding> {
    if list.offers(rule.value) {
        return None;
    }
    let difference = if column == STATE {
        Difference::Idle
    } else {
        Difference::Gone
    };
    Some(finding(
        difference,
        column,
        rule.value,
        rule.to_string(),
        list,
    ))
}

fn finding(
    difference: Difference,
    column: &'static str,
    value: &str,
    entry: String,
    list: &List,
) -> Finding {
    let known = list.choices.iter().find(|it| it.value == value);
    Finding {
        difference,
        column,
        value: value.to_owned(),
        label: known.map(|it| it.label.clone()),
        entry,
        table: list.table.clone(),
    }
}

impl List {
    fn offers(&self, value: &str) -> bool {
        self.choices.iter().any(|it| it.active && it.value == value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use super::*;
    use crate::request::RequestState;
    use crate::state_map::StateMapParts;

    fn row(table: &str, column: &str, value: &str, label: &str) -> Row {
        Row {
            table: table.to_owned(),
            column: column.to_owned(),
            value: value.to_owned(),
            label: label.to_owned(),
            language: "en".to_owned(),
            active: true,
        }
    }

    fn incident(choices: &[(&str, &str)]) -> Vec<Row> {
        let own = choices
            .iter()
            .map(|(value, label)| row("incident", STATE, value, label));
        own.chain([row("task", STATE, "1", "Open")]).collect()
    }

    fn told(map: &StateMap, rows: &[Row]) -> String {
        let mut text = String::new();
        for it in compare(map, &lists("incident", rows)) {
            writeln!(text, "{}: {it}", it.difference.as_str()).unwrap();
        }
        text
    }

    const STOCK: [(&str, &str); 6] = [
        ("1", "New"),
        ("2", "In Progress"),
        ("3", "On Hold"),
        ("6", "Resolved"),
        ("7", "Closed"),
        ("8", "Canceled"),
    ];

    #[test]
    fn the_stock_list_fits_the_built_in_map() {
        let map = StateMap::compile("incident", StateMapParts::default()).unwrap();
        assert_eq!(told(&map, &incident(&STOCK)), "");
        assert_eq!(columns(&map), [STATE, "approval"]);
    }

    #[test]
    fn each_difference_names_its_entry() {
        let map = StateMap::compile("incident", StateMapParts::default()).unwrap();
        let mut rows = incident(&STOCK);
        rows.push(row("incident", STATE, "9", "Awaiting Parts"));
        rows.push(row("incident", "approval", "approved", "Approved"));
        rows.retain(|it| it.table != "incident" || it.value != "7");
        for it in &mut rows {
            it.active = it.value != "8";
        }
        insta::assert_snapshot!(told(&map, &rows));
    }

    #[test]
    fn a_configured_map_is_named_as_such() {
        let parts = StateMapParts {
            states_in: Some(BTreeMap::from([("1".to_owned(), RequestState::Open)])),
            close_codes_in: BTreeMap::from([("Refused".to_owned(), RequestState::Denied)]),
            states_out: Some(BTreeMap::from([(
                RequestState::Cancelled,
                BTreeMap::from([("state".to_owned(), "4".to_owned())]),
            )])),
            ..StateMapParts::default()
        };
        let map = StateMap::compile("incident", parts).unwrap();
        let rows = [
            row("incident", STATE, "1", "New"),
            row("incident", STATE, "2", ""),
            row("incident", "close_code", "Solved", "Solved"),
        ];
        insta::assert_snapshot!(told(&map, &rows));
    }

    #[test]
    fn the_own_list_comes_before_the_parents() {
        let rows = incident(&[("1", "New")]);
        let found = lists("incident", &rows);
        assert_eq!(
            (found.len(), found[0].table.as_str(), found[0].choices.len()),
            (1, "incident", 1)
        );
        let inherited = lists("sc_task", &rows);
        assert_eq!(inherited[0].table, PARENT);
        let mut dead = incident(&[("1", "New")]);
        dead[0].active = false;
        assert_eq!(lists("incident", &dead)[0].table, PARENT);
        assert_eq!(lists("incident", &[]), []);
    }

    #[test]
    fn languages_are_one_choice_and_its_label_is_english() {
        let german = Row {
            language: "de".to_owned(),
            active: false,
            ..row("incident", STATE, "1", "Neu")
        };
        let rows = [german, row("incident", STATE, "1", "New")];
        let found = lists("incident", &rows);
        let expected = Choice {
            value: "1".to_owned(),
            label: "New".to_owned(),
            active: true,
        };
        assert_eq!(found[0].choices, [expected]);
    }
}
