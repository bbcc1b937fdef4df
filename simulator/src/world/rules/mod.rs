//! Business rules: what the instance does to a row before and after it is written.

mod abort;
mod after;
mod catalog;
mod change;
mod incident;
mod task;

use super::{Act, Fields, World, priority};
use crate::refusal::Refusal;

/// A row on its way into the store.
pub(super) struct Draft<'a> {
    pub(super) class: &'a str,
    /// The row as stored; none on insert.
    pub(super) old: Option<&'a Fields>,
    pub(super) new: &'a mut Fields,
    /// Journal entries of this write.
    pub(super) entries: &'a [(String, String)],
}

impl Draft<'_> {
    pub(super) fn was(&self, column: &str) -> &str {
        self.old.map_or("", |old| old.get(column))
    }

    pub(super) fn changes(&self, column: &str) -> bool {
        self.was(column) != self.new.get(column)
    }
}

impl World {
    /// The before rules, in the order an out-of-box instance runs them, then the data policy.
    pub(super) fn before(
        &mut self,
        act: &Act<'_>,
        class: &str,
        old: Option<&Fields>,
        new: &mut Fields,
        entries: &[(String, String)],
    ) -> Result<(), Refusal> {
        let mut draft = Draft {
            class,
            old,
            new,
            entries,
        };
        if class == "sys_user" {
            name_user(draft.new);
        }
        if class == "incident" {
            incident::before(act, &mut draft);
        }
        if class == "incident" || class == "problem" {
            priority::compute(draft.new);
        }
        if class == "change_request" {
            change::before(act, &draft)?;
        }
        catalog::before(&mut draft);
        if self.dictionary.extends(class, "task") {
            task::before(act, &mut draft);
        }
        self.abort(act, &draft)?;
        self.check_policy(act, class, new)
    }
}

/// `name` is computed from the parts unless there are none.
fn name_user(user: &mut Fields) {
    let parts = [
        user.get("first_name"),
        user.get("middle_name"),
        user.get("last_name"),
    ];
    let name = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if !name.is_empty() {
        user.set("name", name);
    }
}
