//! Journals: entries in `sys_journal_field`, and the one text they are rendered to (wire contract 2.7).

use std::fmt::Write as _;

use super::time::display;
use super::{Act, Fields, World};

impl World {
    /// Appends entries to a record's journals. An entry can be neither changed nor removed.
    pub(super) fn add_entries(
        &mut self,
        act: &Act<'_>,
        table: &str,
        sys_id: &str,
        entries: &[(String, String)],
    ) {
        for (element, text) in entries {
            let id = self.dice.sys_id();
            let at = super::time::stamp(act.now);
            let by = act.actor.user_name.as_str();
            let fields: Fields = [
                ("sys_id", id.as_str()),
                ("element_id", sys_id),
                ("name", table),
                ("element", element),
                ("value", text),
                ("sys_created_on", &at),
                ("sys_created_by", by),
                ("sys_updated_on", &at),
                ("sys_updated_by", by),
                ("sys_mod_count", "0"),
            ]
            .into_iter()
            .collect();
            self.store(act, "sys_journal_field", fields, None);
            self.journal.entry(sys_id.to_owned()).or_default().push(id);
        }
    }

    /// A record's entries of the given elements, newest first.
    pub(crate) fn entries<'a>(
        &'a self,
        act: &Act<'_>,
        sys_id: &str,
        elements: &'a [&'a str],
    ) -> impl Iterator<Item = &'a Fields> {
        let now = act.now;
        let ids = self.journal.get(sys_id).into_iter().flatten().rev();
        let rows = ids.filter_map(move |id| self.row("sys_journal_field", id)?.seen_at(now));
        rows.filter(move |entry| elements.contains(&entry.get("element")))
    }

    /// All entries as one text, newest first, in the reader's zone and date format.
    pub(crate) fn rendered_journal(
        &self,
        act: &Act<'_>,
        table: &str,
        sys_id: &str,
        elements: &[&str],
    ) -> String {
        let mut text = String::new();
        for entry in self.entries(act, sys_id, elements) {
            let at = display(
                entry.get("sys_created_on"),
                act.actor.zone,
                &act.actor.date_format,
            );
            let author = entry.get("sys_created_by");
            let author = self
                .find("sys_user", "user_name", author)
                .map_or(author, |user| user.get("name"));
            let label = self.dictionary.label(table, entry.get("element"));
            // Writing to a String cannot fail.
            let _infallible = write!(
                text,
                "{at} - {author} ({label})\n{}\n\n",
                entry.get("value")
            );
        }
        text
    }
}
