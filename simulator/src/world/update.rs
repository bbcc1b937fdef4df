//! Changing a row.

use super::accept::Given;
use super::access::Verb;
use super::time::stamp;
use super::{Act, Change, Fields, Input, Operation, Seen, World};
use crate::refusal::Refusal;

impl World {
    /// Changes a row by the given values; says whether anything really changed. Writing what is
    /// there already touches neither `sys_mod_count` nor `sys_updated_on`.
    ///
    /// # Errors
    /// No such row (or hidden), missing rights, an aborting rule, the data policy, a duplicate
    /// unique value; nothing is stored then.
    pub(crate) fn update(
        &mut self,
        act: &Act<'_>,
        table: &str,
        sys_id: &str,
        given: &Given,
        input: Input,
    ) -> Result<bool, Refusal> {
        if self.dictionary.table(table).is_none() {
            return Err(Refusal::InvalidTable(table.to_owned()));
        }
        let row = self.row(table, sys_id).ok_or(Refusal::NoRecord)?;
        let (class, old) = (row.class.clone(), row.fields.clone());
        let readers_view = row.seen_at(act.now).cloned();
        if !self.sees_row(
            act,
            Seen {
                class: &class,
                fields: &old,
            },
        ) {
            return Err(Refusal::NoRecord);
        }
        if !self.may(act, Verb::Write, &class, &old) {
            return Err(Refusal::Acl("Update"));
        }
        let accepted = self.accept(act, table, given, input);
        let mut new = old.clone();
        for (column, value) in accepted.values {
            new.set(&column, value);
        }
        if new == old && accepted.entries.is_empty() {
            return Ok(false);
        }
        self.before(act, &class, Some(&old), &mut new, &accepted.entries)?;
        if self.breaks_unique(&class, &new) {
            return Err(Refusal::InsertFailed {
                table: class,
                display: new.get("number").to_owned(),
            });
        }
        let mut columns = changed(&old, &new);
        columns.extend(accepted.entries.iter().map(|(element, _)| element.clone()));
        new.set("sys_updated_on", stamp(act.now));
        new.set("sys_updated_by", act.actor.user_name.as_str());
        new.set(
            "sys_mod_count",
            (old.number("sys_mod_count") + 1).to_string(),
        );
        self.store(act, &class, new.clone(), readers_view);
        self.add_entries(act, &class, sys_id, &accepted.entries);
        self.audit(act, &class, &old, &new, &columns);
        self.committed(
            act,
            &Change {
                operation: Operation::Update,
                table: class,
                sys_id: sys_id.to_owned(),
                fields: new,
                columns,
                at: act.now,
            },
        );
        Ok(true)
    }

    /// Changes a row as the instance itself does, by raw values.
    pub(crate) fn change(
        &mut self,
        act: &Act<'_>,
        table: &str,
        sys_id: &str,
        values: &[(&str, &str)],
    ) -> Result<bool, Refusal> {
        let system = super::Actor::system();
        let given = values
            .iter()
            .map(|(column, value)| ((*column).to_owned(), (*value).to_owned()))
            .collect();
        self.update(
            &Act {
                actor: &system,
                ..*act
            },
            table,
            sys_id,
            &given,
            Input::Raw,
        )
    }
}

/// Columns whose values differ.
fn changed(old: &Fields, new: &Fields) -> Vec<String> {
    let columns = old.iter().chain(new.iter()).map(|(column, _)| column);
    let mut columns: Vec<String> = columns
        .filter(|column| old.get(column) != new.get(column))
        .map(str::to_owned)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
