//! Deleting a row. No tombstone stays in its table; only admins see `sys_audit_delete`.

use super::access::Verb;
use super::{Act, Change, Operation, Seen, World};
use crate::refusal::Refusal;

impl World {
    /// Deletes a row.
    ///
    /// # Errors
    /// No such table or row (or hidden), missing rights.
    pub(crate) fn delete(
        &mut self,
        act: &Act<'_>,
        table: &str,
        sys_id: &str,
    ) -> Result<(), Refusal> {
        if self.dictionary.table(table).is_none() {
            return Err(Refusal::InvalidTable(table.to_owned()));
        }
        let row = self.row(table, sys_id).ok_or(Refusal::NoRecord)?;
        let (class, fields) = (row.class.clone(), row.fields.clone());
        if !self.sees_row(
            act,
            Seen {
                class: &class,
                fields: &fields,
            },
        ) {
            return Err(Refusal::NoRecord);
        }
        if !self.may(act, Verb::Delete, &class, &fields) {
            return Err(Refusal::Acl("Delete"));
        }
        if let Some(shelf) = self.shelves.get_mut(&class) {
            shelf.take(sys_id);
        }
        let display = fields
            .get(self.dictionary.display_column(&class))
            .to_owned();
        self.make(
            act,
            "sys_audit_delete",
            &[
                ("tablename", &class),
                ("documentkey", sys_id),
                ("display_value", &display),
            ],
        )?;
        self.committed(
            act,
            &Change {
                operation: Operation::Delete,
                table: class,
                sys_id: sys_id.to_owned(),
                fields,
                columns: Vec::new(),
                at: act.now,
            },
        );
        Ok(())
    }
}
