//! `sys_audit`: one row for each value that changed.

use super::{Act, Fields, World};

/// Columns every update changes, which the platform does not audit.
const SILENT: &[&str] = &["sys_updated_on", "sys_updated_by", "sys_mod_count"];

/// Roots whose rows are audited.
const AUDITED: &[&str] = &["task", "sys_user", "sys_user_group", "cmdb_ci"];

impl World {
    pub(super) fn audit(
        &mut self,
        act: &Act<'_>,
        class: &str,
        old: &Fields,
        new: &Fields,
        columns: &[String],
    ) {
        if !AUDITED.contains(&self.dictionary.root(class)) {
            return;
        }
        for column in columns.iter().filter(|column| {
            !SILENT.contains(&column.as_str()) && old.get(column) != new.get(column)
        }) {
            let id = self.dice.sys_id();
            let at = super::time::stamp(act.now);
            let fields: Fields = [
                ("sys_id", id.as_str()),
                ("tablename", class),
                ("documentkey", new.sys_id()),
                ("fieldname", column),
                ("oldvalue", old.get(column)),
                ("newvalue", new.get(column)),
                ("user", &act.actor.user_name),
                ("record_checkpoint", new.get("sys_mod_count")),
                ("sys_created_on", &at),
                ("sys_created_by", &act.actor.user_name),
                ("sys_updated_on", &at),
                ("sys_mod_count", "0"),
            ]
            .into_iter()
            .collect();
            self.store(act, "sys_audit", fields, None);
        }
    }
}
