//! Tables, their inheritance and their columns: what `sys_db_object` and `sys_dictionary` hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::column::Column;

/// Every table of the instance by name.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    tables: BTreeMap<String, Table>,
    /// Each table with its children and theirs.
    descendants: BTreeMap<String, Vec<String>>,
}

/// One table: its own columns (those of its parents are found through `parent`) and who may use it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) parent: Option<String>,
    /// Prefix of `number`, when the table numbers its rows.
    #[serde(default)]
    pub(crate) prefix: Option<String>,
    #[serde(default)]
    pub(crate) read: Vec<String>,
    #[serde(default)]
    pub(crate) write: Vec<String>,
    #[serde(default)]
    pub(crate) create: Vec<String>,
    #[serde(default)]
    pub(crate) delete: Vec<String>,
    /// `forbid` answers 403 to a reader without rights; otherwise the list is empty.
    #[serde(default)]
    pub(crate) denied: Option<String>,
    pub(crate) columns: BTreeMap<String, Column>,
}

/// Columns that every root table has (wire contract 3.1).
const BASE: &[(&str, &str)] = &[
    ("sys_id", "Sys ID; guid"),
    ("sys_created_on", "Created; date_time; ro"),
    ("sys_created_by", "Created by; string 40; ro"),
    ("sys_updated_on", "Updated; date_time; ro"),
    ("sys_updated_by", "Updated by; string 40; ro"),
    ("sys_mod_count", "Updates; integer; ro"),
    ("sys_tags", "Tags; string 255; ro"),
];

/// Roots whose rows tell their class.
const CLASSED: &[&str] = &["task", "cmdb_ci", "sys_metadata"];

impl Dictionary {
    /// Adds or replaces a table; a root table gets the columns every table has.
    pub(crate) fn add(&mut self, name: &str, mut table: Table) {
        name.clone_into(&mut table.name);
        if table.parent.is_none() {
            for (column, spec) in BASE {
                let column = (*column).to_owned();
                table
                    .columns
                    .entry(column)
                    .or_insert_with(|| Column::parse(spec));
            }
            if CLASSED.contains(&name) {
                let class = Column::parse("Class; class 80; ro");
                table.columns.insert("sys_class_name".to_owned(), class);
            }
        }
        for (column, definition) in &mut table.columns {
            definition.name.clone_from(column);
        }
        self.tables.insert(name.to_owned(), table);
        self.trace_descendants();
    }

    /// Files may name a child before its parent, so all are traced anew.
    fn trace_descendants(&mut self) {
        let mut descendants: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self.tables.keys() {
            for ancestor in self.lineage(name) {
                descendants
                    .entry(ancestor.name.clone())
                    .or_default()
                    .push(name.clone());
            }
        }
        self.descendants = descendants;
    }

    /// The table itself and every table that extends it.
    pub(crate) fn descendants(&self, table: &str) -> &[String] {
        self.descendants.get(table).map_or(&[], Vec::as_slice)
    }

    /// Adds one column to a table that exists; says whether it did.
    pub(crate) fn add_column(&mut self, table: &str, name: &str, mut column: Column) -> bool {
        name.clone_into(&mut column.name);
        let Some(table) = self.tables.get_mut(table) else {
            return false;
        };
        table.columns.insert(name.to_owned(), column);
        true
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// The table and its parents, child first.
    pub(crate) fn lineage<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Table> {
        std::iter::successors(self.tables.get(name), |table| {
            table
                .parent
                .as_deref()
                .and_then(|parent| self.tables.get(parent))
        })
    }

    /// The topmost table of the hierarchy, under whose name the rows are kept.
    pub(crate) fn root<'a>(&'a self, name: &'a str) -> &'a str {
        self.lineage(name)
            .last()
            .map_or(name, |table| table.name.as_str())
    }

    /// Whether rows of `class` belong to `table`: it is the table or one of its children.
    pub(crate) fn extends(&self, class: &str, table: &str) -> bool {
        class == table || self.lineage(class).any(|ancestor| ancestor.name == table)
    }

    /// A column of a table or of its parents; a child's definition wins.
    pub(crate) fn column(&self, table: &str, name: &str) -> Option<&Column> {
        self.lineage(table)
            .find_map(|table| table.columns.get(name))
    }

    /// All columns a table shows, its own and inherited ones, by name.
    pub(crate) fn columns(&self, table: &str) -> BTreeMap<&str, &Column> {
        let mut all = BTreeMap::new();
        for table in self.lineage(table) {
            for (name, column) in &table.columns {
                all.entry(name.as_str()).or_insert(column);
            }
        }
        all
    }

    /// The column whose value stands for a row of `table` ("number" for tasks, "name" for users).
    pub(crate) fn display_column(&self, table: &str) -> &str {
        self.lineage(table)
            .find_map(|table| table.columns.values().find(|column| column.display))
            .map_or("sys_id", |column| column.name.as_str())
    }

    pub(crate) fn label<'a>(&'a self, table: &str, column: &'a str) -> &'a str {
        self.column(table, column)
            .map_or(column, |column| column.label.as_str())
    }

    /// The number prefix of a table or of the nearest parent that has one.
    pub(crate) fn prefix(&self, table: &str) -> Option<&str> {
        self.lineage(table)
            .find_map(|table| table.prefix.as_deref())
    }

    /// Turns a column's unique flag on or off.
    pub(crate) fn set_unique(&mut self, table: &str, column: &str, unique: bool) {
        if let Some(column) = self
            .tables
            .get_mut(table)
            .and_then(|table| table.columns.get_mut(column))
        {
            column.unique = unique;
        }
    }
}
