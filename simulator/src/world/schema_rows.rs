//! `sys_db_object`, `sys_dictionary`, `sys_number` and `sys_choice` as rows, and the way back:
//! a table or column added through them exists from then on.

use std::collections::BTreeMap;

use super::column::Column;
use super::dictionary::Table;
use super::{Act, Change, Operation, World};
use crate::refusal::Refusal;
use crate::seed::id;

impl World {
    /// Describes the dictionary in the platform's own tables.
    pub(crate) fn describe_schema(&mut self, act: &Act<'_>) -> Result<(), Refusal> {
        let tables: Vec<Table> = self.dictionary.tables().cloned().collect();
        for table in &tables {
            self.describe_table(act, table)?;
            for column in table.columns.values() {
                self.describe_column(act, &table.name, column)?;
            }
        }
        Ok(())
    }

    fn describe_table(&mut self, act: &Act<'_>, table: &Table) -> Result<(), Refusal> {
        let parent = table
            .parent
            .as_deref()
            .map(|parent| id::of("sys_db_object", parent))
            .unwrap_or_default();
        let number = table
            .prefix
            .as_deref()
            .map(|_| id::of("sys_number", &table.name))
            .unwrap_or_default();
        let own = id::of("sys_db_object", &table.name);
        let values = [
            ("sys_id", own.as_str()),
            ("name", &table.name),
            ("label", &table.label),
            ("super_class", &parent),
            ("number_ref", &number),
        ];
        self.make(act, "sys_db_object", &values)?;
        if let Some(prefix) = &table.prefix {
            let values = [
                ("sys_id", number.as_str()),
                ("prefix", prefix),
                ("category", &table.name),
                ("number", "10000"),
                ("maximum_digits", "7"),
            ];
            self.make(act, "sys_number", &values)?;
        }
        Ok(())
    }

    fn describe_column(
        &mut self,
        act: &Act<'_>,
        table: &str,
        column: &Column,
    ) -> Result<(), Refusal> {
        let own = id::of("sys_dictionary", &format!("{table}.{}", column.name));
        let length = column.max_length.to_string();
        let yes = |flag: bool| if flag { "true" } else { "false" };
        let values = [
            ("sys_id", own.as_str()),
            ("name", table),
            ("element", &column.name),
            ("column_label", &column.label),
            ("internal_type", &column.internal_type),
            ("max_length", &length),
            ("mandatory", yes(column.mandatory)),
            ("reference", column.reference.as_deref().unwrap_or_default()),
            ("unique", yes(column.unique)),
            ("read_only", yes(column.read_only)),
            ("display", yes(column.display)),
            (
                "default_value",
                column.default.as_deref().unwrap_or_default(),
            ),
        ];
        self.make(act, "sys_dictionary", &values).map(drop)
    }

    /// Takes a table or column that was inserted as a row into the dictionary.
    pub(super) fn follow_schema(&mut self, change: &Change) {
        let row = &change.fields;
        let name = row.get("name");
        if change.operation == Operation::Delete || name.is_empty() {
            return;
        }
        if change.table == "sys_db_object" {
            let parent = self
                .fields("sys_db_object", row.get("super_class"))
                .map(|parent| parent.get("name").to_owned());
            if self.dictionary.table(name).is_none() {
                let table = Table {
                    label: row.get("label").to_owned(),
                    parent,
                    ..Table::of_users()
                };
                self.dictionary.add(name, table);
            }
        } else if self.dictionary.column(name, row.get("element")).is_none() {
            let mut column = Column::parse(&format!(
                "{}; {} {}",
                row.get("column_label"),
                row.get("internal_type"),
                argument(change)
            ));
            column.unique = row.is_true("unique");
            self.dictionary.add_column(name, row.get("element"), column);
        } else if change.columns.iter().any(|column| column == "unique") {
            self.dictionary
                .set_unique(name, row.get("element"), row.is_true("unique"));
        }
    }
}

fn argument(change: &Change) -> &str {
    let reference = change.fields.get("reference");
    if reference.is_empty() {
        change.fields.get("max_length")
    } else {
        reference
    }
}

impl Table {
    /// A table of the customer's own: everybody with `itil` works with it.
    pub(crate) fn of_users() -> Self {
        let itil = || vec!["itil".to_owned()];
        Self {
            name: String::new(),
            label: String::new(),
            parent: None,
            prefix: None,
            read: itil(),
            write: itil(),
            create: itil(),
            delete: itil(),
            denied: None,
            columns: BTreeMap::new(),
        }
    }
}
