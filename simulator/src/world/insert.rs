//! Creating a row.

use super::accept::Given;
use chrono::TimeDelta;

use super::access::{Right, Verb};
use super::row::{Pending, Row};
use super::time::stamp;
use super::{Act, Change, Fields, Input, Operation, World};
use crate::knobs::DupSysId;
use crate::refusal::Refusal;

/// What became of an insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) sys_id: String,
    /// The row existed already and was updated ([`DupSysId::Upsert`]).
    pub(crate) updated: bool,
}

impl World {
    /// Creates a row of `table` from the given values.
    ///
    /// # Errors
    /// Unknown table, missing rights, an aborting rule, the data policy, a duplicate key or a
    /// duplicate unique value; nothing is stored then.
    pub(crate) fn insert(
        &mut self,
        act: &Act<'_>,
        table: &str,
        given: &Given,
        input: Input,
    ) -> Result<Inserted, Refusal> {
        if self.dictionary.table(table).is_none() {
            return Err(Refusal::InvalidTable(table.to_owned()));
        }
        if !act.actor.system && self.right(act, Verb::Create, table) == Right::None {
            return Err(Refusal::Acl("Insert"));
        }
        let accepted = self.accept(act, table, given, input);
        let wanted = given
            .get("sys_id")
            .filter(|id| !id.is_empty() && act.knobs.client_sys_id);
        let taken = wanted.filter(|id| self.holds(table, id));
        if let (Some(id), DupSysId::Upsert) = (taken, act.knobs.dup_sys_id) {
            self.update(act, table, id, given, input)?;
            return Ok(Inserted {
                sys_id: id.clone(),
                updated: true,
            });
        }
        let fresh = self.dice.sys_id();
        let sys_id = wanted.filter(|_| taken.is_none()).cloned().unwrap_or(fresh);
        let mut fields = self.blank(table, &sys_id);
        for (column, value) in accepted.values {
            fields.set(&column, value);
        }
        self.number(table, &mut fields);
        let refused = taken.is_some() && act.knobs.dup_sys_id == DupSysId::Refuse;
        self.before(act, table, None, &mut fields, &accepted.entries)?;
        if refused || self.breaks_unique(table, &fields) {
            return Err(self.insert_failed(table, &fields));
        }
        Self::stamp_new(act, &mut fields);
        self.store(act, table, fields.clone(), None);
        self.add_entries(act, table, &sys_id, &accepted.entries);
        let mut columns: Vec<String> = fields.iter().map(|(column, _)| column.to_owned()).collect();
        columns.extend(accepted.entries.into_iter().map(|(element, _)| element));
        self.committed(
            act,
            &Change {
                operation: Operation::Insert,
                table: table.to_owned(),
                sys_id: sys_id.clone(),
                fields,
                columns,
                at: act.now,
            },
        );
        Ok(Inserted {
            sys_id,
            updated: false,
        })
    }

    /// Inserts a row the instance makes itself, by raw values.
    pub(crate) fn make(
        &mut self,
        act: &Act<'_>,
        table: &str,
        values: &[(&str, &str)],
    ) -> Result<String, Refusal> {
        let system = super::Actor::system();
        let given = values
            .iter()
            .map(|(column, value)| ((*column).to_owned(), (*value).to_owned()))
            .collect();
        self.insert(
            &Act {
                actor: &system,
                ..*act
            },
            table,
            &given,
            Input::Raw,
        )
        .map(|inserted| inserted.sys_id)
    }

    /// Whether the key is taken anywhere in the table's hierarchy.
    fn holds(&self, table: &str, sys_id: &str) -> bool {
        self.row(self.dictionary.root(table), sys_id).is_some()
    }

    fn blank(&self, table: &str, sys_id: &str) -> Fields {
        let mut fields = Fields::default();
        for (name, column) in self.dictionary.columns(table) {
            if let Some(default) = &column.default {
                fields.set(name, default.as_str());
            }
        }
        fields.set("sys_id", sys_id);
        if self.dictionary.column(table, "sys_class_name").is_some() {
            fields.set("sys_class_name", table);
        }
        fields
    }

    fn stamp_new(act: &Act<'_>, fields: &mut Fields) {
        let now = stamp(act.now);
        for (on, by) in [
            ("sys_created_on", "sys_created_by"),
            ("sys_updated_on", "sys_updated_by"),
        ] {
            let given = fields.get(on).to_owned();
            fields.set(on, if given.is_empty() { now.clone() } else { given });
            if fields.get(by).is_empty() {
                fields.set(by, act.actor.user_name.as_str());
            }
        }
        fields.set("sys_mod_count", "0");
    }

    fn insert_failed(&self, table: &str, fields: &Fields) -> Refusal {
        let display = fields.get(self.dictionary.display_column(table)).to_owned();
        Refusal::InsertFailed {
            table: table.to_owned(),
            display,
        }
    }

    /// Puts a row in place; readers see it once the visibility delay is over.
    pub(super) fn store(
        &mut self,
        act: &Act<'_>,
        class: &str,
        fields: Fields,
        before: Option<Fields>,
    ) {
        let delay = act.knobs.visible_delay_ms;
        let pending = (delay > 0 && !act.actor.system).then(|| {
            let delay = TimeDelta::milliseconds(i64::try_from(delay).unwrap_or(i64::MAX));
            Pending {
                visible_at: act.now + delay,
                before,
            }
        });
        if let Some(pending) = &pending {
            self.unsettled = self.unsettled.max(Some(pending.visible_at));
        }
        let row = Row {
            class: class.to_owned(),
            fields,
            pending,
        };
        self.shelves.entry(class.to_owned()).or_default().put(row);
    }
}
