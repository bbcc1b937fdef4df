//! After a commit: caches, derived rows, and word to whoever listens.

use crate::world::{Act, Change, Choices, Operation, World};

/// How many changes wait for a listener at most.
const KEPT_CHANGES: usize = 10_000;

impl World {
    /// Runs the after rules of a committed change and keeps it for the listeners.
    pub(in crate::world) fn committed(&mut self, act: &Act<'_>, change: &Change) {
        match change.table.as_str() {
            "sys_choice" => self.reload_choices(),
            "sys_db_object" | "sys_dictionary" => self.follow_schema(change),
            "sys_user_grmember" | "sys_group_has_role" | "sys_user_role_contains" => {
                self.derive_roles_later(act);
            }
            // An inherited row that somebody deletes comes back.
            "sys_user_has_role"
                if change.operation == Operation::Delete || !change.fields.is_true("inherited") =>
            {
                self.derive_roles_later(act);
            }
            _ => {}
        }
        if self.dictionary.extends(&change.table, "task") {
            // Whoever listens fetches them soon; without a listener only the latest are kept.
            if self.changes.len() >= KEPT_CHANGES {
                self.changes.drain(..KEPT_CHANGES / 2);
            }
            self.changes.push(change.clone());
        }
        self.roll_up(act, change);
    }

    pub(crate) fn reload_choices(&mut self) {
        self.choices = Choices::of_rows(self.dump("sys_choice").into_iter());
    }
}
