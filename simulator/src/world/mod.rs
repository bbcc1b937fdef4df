//! The instance's data: rows by table hierarchy, and the one pipeline every write goes through.
//!
//! Reading: [`World::row`], [`World::scan`]. Writing: [`World::insert`], [`World::update`],
//! [`World::delete`], always by an [`Actor`] under the [`Act`]'s knobs and at its time; the REST
//! API, the catalog, the agent and the seed all use these three.

mod accept;
pub(crate) mod access;
pub(crate) mod actor;
mod agenda;
pub(crate) mod agent;
mod audit;
pub(crate) mod choices;
pub(crate) mod column;
mod delete;
pub(crate) mod dictionary;
mod engine;
mod insert;
pub(crate) mod journal;
mod numbers;
mod policy;
mod priority;
mod recall;
mod roles;
mod row;
mod rules;
mod schema_rows;
pub(crate) mod shelf;
pub(crate) mod time;
mod unique;
mod update;
mod write;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::dice::Dice;
pub(crate) use actor::Actor;
use agenda::Due;
pub(crate) use choices::Choices;
pub(crate) use dictionary::Dictionary;
pub(crate) use row::{Fields, Row};
use shelf::Shelf;
pub(crate) use write::{Act, Change, Input, Operation};

/// Everything an instance stores.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) dictionary: Dictionary,
    pub(crate) choices: Choices,
    /// Rows by class.
    shelves: BTreeMap<String, Shelf>,
    /// Until when some readers still see rows as they were.
    unsettled: Option<DateTime<Utc>>,
    /// Journal rows of a record, oldest first.
    journal: HashMap<String, Vec<String>>,
    /// Next number of each prefix.
    numbers: BTreeMap<String, u64>,
    /// Passwords by user id; REST can neither read nor set them (wire contract 2.6).
    pub(crate) passwords: BTreeMap<String, String>,
    /// API keys and the user id they act as.
    pub(crate) api_keys: BTreeMap<String, String>,
    /// Contents of attachments by `sys_attachment.sys_id`.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    agenda: Vec<Due>,
    /// Committed changes nobody has fetched yet, oldest first.
    changes: Vec<Change>,
    pub(crate) dice: Dice,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            ..Self::default()
        }
    }

    /// The row as its last writer left it, whatever its class.
    pub(crate) fn row(&self, table: &str, sys_id: &str) -> Option<&Row> {
        self.shelves_of(table).find_map(|shelf| shelf.get(sys_id))
    }

    /// The shelves of a table and its children.
    fn shelves_of(&self, table: &str) -> impl Iterator<Item = &Shelf> {
        let classes = self.dictionary.descendants(table);
        classes.iter().filter_map(|class| self.shelves.get(class))
    }

    /// The fields of a row, for rules and displays inside the instance.
    pub(crate) fn fields(&self, table: &str, sys_id: &str) -> Option<&Fields> {
        self.row(table, sys_id).map(|row| &row.fields)
    }

    /// All rows of a table and its children as readers see them at `now`, by class and sys_id.
    pub(crate) fn scan(&self, table: &str, now: DateTime<Utc>) -> impl Iterator<Item = Seen<'_>> {
        let rows = self.shelves_of(table).flat_map(Shelf::rows);
        rows.filter_map(move |row| Seen::of(row, now))
    }

    /// Rows that may hold one of `values` in an indexed column, as readers see them at `now`;
    /// `None` when only a scan is sure to find them all.
    pub(crate) fn candidates(
        &self,
        table: &str,
        column: &str,
        values: &[String],
        now: DateTime<Utc>,
    ) -> Option<Vec<Seen<'_>>> {
        let settled = self.unsettled.is_none_or(|until| until <= now);
        if !settled || !Shelf::is_indexed(column) || values.iter().any(String::is_empty) {
            return None;
        }
        let mut rows: Vec<&Row> = Vec::new();
        for shelf in self.shelves_of(table) {
            rows.extend(
                values
                    .iter()
                    .flat_map(|value| shelf.candidates(column, value)),
            );
        }
        rows.sort_unstable_by_key(|row| row.fields.sys_id());
        rows.dedup_by_key(|row| row.fields.sys_id());
        Some(
            rows.into_iter()
                .filter_map(|row| Seen::of(row, now))
                .collect(),
        )
    }

    /// The first row of a table whose `column` holds exactly `value`.
    pub(crate) fn find(&self, table: &str, column: &str, value: &str) -> Option<&Fields> {
        if column == "sys_id" {
            return self.fields(table, value);
        }
        let mut shelves = self.shelves_of(table);
        shelves
            .find_map(|shelf| shelf.first(column, value))
            .map(|row| &row.fields)
    }

    /// All rows of a table whose `column` holds exactly `value`.
    pub(crate) fn all_with<'a>(
        &'a self,
        table: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = &'a Fields> {
        let shelves = self.shelves_of(table);
        shelves
            .flat_map(move |shelf| shelf.exactly(column, value))
            .map(|row| &row.fields)
    }

    /// The text that stands for a row in references: its display column, which may itself be one.
    pub(crate) fn display_of(&self, table: &str, key_column: &str, key: &str) -> Option<String> {
        let fields = self.find(table, key_column, key)?;
        let class = fields.class_or(table);
        let column = self.dictionary.display_column(class);
        let value = fields.get(column);
        let definition = self.dictionary.column(class, column);
        match definition.and_then(|definition| {
            Some((definition.reference.as_deref()?, &definition.reference_key))
        }) {
            Some((target, key)) if target != table => {
                Some(self.display_of(target, key, value).unwrap_or_default())
            }
            _ => Some(value.to_owned()),
        }
    }

    /// All rows of a table as their writers left them, visible yet or not.
    pub(crate) fn dump(&self, table: &str) -> Vec<&Fields> {
        self.shelves_of(table)
            .flat_map(Shelf::rows)
            .map(|row| &row.fields)
            .collect()
    }

    /// All rows by class, as their writers left them.
    pub(crate) fn dump_all(&self) -> BTreeMap<&str, Vec<&Fields>> {
        let shelves = self.shelves.iter();
        shelves
            .map(|(class, shelf)| {
                (
                    class.as_str(),
                    shelf.rows().map(|row| &row.fields).collect(),
                )
            })
            .collect()
    }

    /// Takes the changes committed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

/// One row as a reader sees it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) class: &'a str,
    pub(crate) fields: &'a Fields,
}

impl<'a> Seen<'a> {
    fn of(row: &'a Row, now: DateTime<Utc>) -> Option<Self> {
        row.seen_at(now).map(|fields| Seen {
            class: &row.class,
            fields,
        })
    }
}
