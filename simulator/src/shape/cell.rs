//! One value as JSON.

use serde_json::{Map, Value};

use super::{Display, View};
use crate::query::path::Path;
use crate::world::Fields;
use crate::world::column::{Column, Kind};

impl View<'_> {
    pub(super) fn cell(&self, path: &Path, fields: &Fields) -> Value {
        let Some(column) = path.definition(self.world) else {
            return Value::String(String::new());
        };
        let row = path.target(self.world, fields);
        let raw = row.map_or("", |row| raw_value(column, row));
        let shown = || row.map_or_else(String::new, |row| self.displayed(&path.table, column, row));
        let link = if self.exclude_link {
            None
        } else {
            self.link(column, raw)
        };
        match (self.display, link) {
            (Display::Raw, None) => Value::String(raw.to_owned()),
            (Display::Raw, Some(link)) => object([("link", link), ("value", raw.to_owned())]),
            (Display::Shown, _) if column.kind == Kind::Guid => Value::String(raw.to_owned()),
            (Display::Shown, None) => Value::String(shown()),
            (Display::Shown, Some(link)) => object([("display_value", shown()), ("link", link)]),
            (Display::All, None) => object([("display_value", shown()), ("value", raw.to_owned())]),
            (Display::All, Some(link)) => object([
                ("display_value", shown()),
                ("link", link),
                ("value", raw.to_owned()),
            ]),
        }
    }

    /// Where a reference points; empty references have no link.
    fn link(&self, column: &Column, raw: &str) -> Option<String> {
        let target = match column.kind {
            Kind::Reference => column.reference.as_deref()?,
            Kind::Domain => "sys_user_group",
            _ => return None,
        };
        if raw.is_empty() {
            return None;
        }
        let base = self.base_url;
        Some(match column.reference_key.as_str() {
            "sys_id" => format!("{base}/api/now/table/{target}/{raw}"),
            key => format!("{base}/api/now/table/{target}?{key}={raw}"),
        })
    }
}

/// The stored text; journals and passwords never show theirs, an unset boolean is false.
fn raw_value<'r>(column: &Column, row: &'r Fields) -> &'r str {
    let value = row.get(&column.name);
    match column.kind {
        Kind::Journal | Kind::JournalList | Kind::Password => "",
        Kind::Boolean if value.is_empty() => "false",
        _ => value,
    }
}

fn object<const N: usize>(members: [(&str, String); N]) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)));
    Value::Object(members.collect::<Map<String, Value>>())
}
