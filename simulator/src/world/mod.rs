//! The instance's data: rows by table hierarchy, and the one pipeline every write goes through.
//!
//! Reading: [`World::row`], [`World::scan`]. Writing: [`World::insert`], [`World::update`],
//! [`World::delete`], always by an [`Actor`] under the [`Act`]'s knobs and at its time; the REST
//! API, the catalog, the agent and the seed all use these three.

mod accept;
pub(crate) mod access;
pub(crate) mod actor;
pub(crate) mod agent;
mod audit;
pub(crate) mod choices;
pub(crate) mod column;
mod delete;
pub(crate) mod dictionary;
mod insert;
pub(crate) mod journal;
mod numbers;
mod policy;
mod priority;
mod roles;
mod row;
mod rules;
mod schema_rows;
pub(crate) mod time;
mod unique;
mod update;
mod write;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::dice::Dice;
pub(crate) use actor::Actor;
pub(crate) use choices::Choices;
pub(crate) use dictionary::Dictionary;
pub(crate) use row::{Fields, Row};
pub(crate) use write::{Act, Change, Input, Operation};

/// Everything an instance stores.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) dictionary: Dictionary,
    pub(crate) choices: Choices,
    /// Rows by root table, then by sys_id.
    stores: BTreeMap<String, BTreeMap<String, Row>>,
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

/// Something the instance does by itself later.
struct Due {
    at: DateTime<Utc>,
    work: Later,
}

/// Work of the instance's scheduler.
pub(crate) type Later = Box<dyn FnOnce(&mut World, &Act<'_>) + Send>;

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            ..Self::default()
        }
    }

    /// The row as its last writer left it, whatever its class.
    pub(crate) fn row(&self, table: &str, sys_id: &str) -> Option<&Row> {
        let row = self.stores.get(self.dictionary.root(table))?.get(sys_id)?;
        self.dictionary.extends(&row.class, table).then_some(row)
    }

    /// The fields of a row, for rules and displays inside the instance.
    pub(crate) fn fields(&self, table: &str, sys_id: &str) -> Option<&Fields> {
        self.row(table, sys_id).map(|row| &row.fields)
    }

    /// All rows of a table and its children as readers see them at `now`, by sys_id.
    pub(crate) fn scan<'a>(
        &'a self,
        table: &'a str,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Seen<'a>> {
        let store = self.stores.get(self.dictionary.root(table));
        let rows = store.into_iter().flat_map(BTreeMap::values);
        rows.filter(move |row| self.dictionary.extends(&row.class, table))
            .filter_map(move |row| {
                row.seen_at(now).map(|fields| Seen {
                    class: &row.class,
                    fields,
                })
            })
    }

    /// The first row of a table whose `column` holds exactly `value`.
    pub(crate) fn find(&self, table: &str, column: &str, value: &str) -> Option<&Fields> {
        let store = self.stores.get(self.dictionary.root(table))?;
        if column == "sys_id" {
            return self.fields(table, value);
        }
        let mut rows = store
            .values()
            .filter(|row| self.dictionary.extends(&row.class, table));
        rows.find(|row| row.fields.get(column) == value)
            .map(|row| &row.fields)
    }

    /// All rows of a table whose `column` holds exactly `value`.
    pub(crate) fn all_with<'a>(
        &'a self,
        table: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = &'a Fields> {
        let store = self.stores.get(self.dictionary.root(table));
        let rows = store.into_iter().flat_map(BTreeMap::values);
        rows.filter(move |row| {
            row.fields.get(column) == value && self.dictionary.extends(&row.class, table)
        })
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
        let store = self.stores.get(self.dictionary.root(table));
        let rows = store.into_iter().flat_map(BTreeMap::values);
        rows.filter(|row| self.dictionary.extends(&row.class, table))
            .map(|row| &row.fields)
            .collect()
    }

    /// All rows by class, as their writers left them.
    pub(crate) fn dump_all(&self) -> BTreeMap<&str, Vec<&Fields>> {
        let mut classes: BTreeMap<&str, Vec<&Fields>> = BTreeMap::new();
        for row in self.stores.values().flat_map(BTreeMap::values) {
            classes.entry(&row.class).or_default().push(&row.fields);
        }
        classes
    }

    /// Lets the instance do `work` after `delay_ms`.
    pub(crate) fn later(&mut self, act: &Act<'_>, delay_ms: u64, work: Later) {
        let delay = i64::try_from(delay_ms).unwrap_or(i64::MAX);
        self.agenda.push(Due {
            at: act.now + chrono::TimeDelta::milliseconds(delay),
            work,
        });
    }

    /// Does what has become due by the act's time, in order of time.
    pub(crate) fn run_due(&mut self, act: &Act<'_>) {
        while let Some(index) = self.next_due(act.now) {
            let due = self.agenda.remove(index);
            (due.work)(
                self,
                &Act {
                    now: due.at,
                    ..*act
                },
            );
        }
    }

    /// When the next piece of work is due, for whoever waits for it.
    pub(crate) fn due_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.iter().map(|due| due.at).min()
    }

    /// Drops all planned work.
    pub(crate) fn forget_agenda(&mut self) {
        self.agenda.clear();
    }

    fn next_due(&self, now: DateTime<Utc>) -> Option<usize> {
        let due = self
            .agenda
            .iter()
            .enumerate()
            .filter(|(_, due)| due.at <= now);
        due.min_by_key(|(index, due)| (due.at, *index))
            .map(|(index, _)| index)
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
