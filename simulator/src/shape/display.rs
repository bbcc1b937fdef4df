//! What a person sees of a value: labels, names, local times, thousands separators.

use super::View;
use crate::world::Fields;
use crate::world::column::{Column, Kind};
use crate::world::time::{display, display_date};

impl View<'_> {
    /// The display text of a column of `row`, which is a row of `table`.
    pub(super) fn displayed(&self, table: &str, column: &Column, row: &Fields) -> String {
        let value = row.get(&column.name);
        let class = row.class_or(table);
        match column.kind {
            Kind::Journal => {
                self.world
                    .rendered_journal(&self.act, class, row.sys_id(), &[&column.name])
            }
            Kind::JournalList => self.world.rendered_journal(
                &self.act,
                class,
                row.sys_id(),
                &["comments", "work_notes"],
            ),
            Kind::Boolean if value.is_empty() => "false".to_owned(),
            Kind::Password => self.masked(column, row),
            _ if value.is_empty() => String::new(),
            Kind::Choice | Kind::IntChoice => self.label(class, &column.name, value),
            Kind::Reference => self.reference(column, value),
            Kind::List => self.list(column, value),
            Kind::DateTime => display(value, self.act.actor.zone, &self.act.actor.date_format),
            Kind::Date => display_date(value, &self.act.actor.date_format),
            Kind::Duration => duration(value),
            Kind::Integer => thousands(value),
            Kind::Class => self
                .world
                .dictionary
                .table(value)
                .map_or(value, |table| &table.label)
                .to_owned(),
            Kind::Text | Kind::Guid | Kind::Decimal | Kind::Domain | Kind::Boolean => {
                value.to_owned()
            }
        }
    }

    /// A secret shows that it is there and nothing else.
    fn masked(&self, column: &Column, row: &Fields) -> String {
        let set =
            !row.get(&column.name).is_empty() || self.world.passwords.contains_key(row.sys_id());
        if set {
            "********".to_owned()
        } else {
            String::new()
        }
    }

    fn label(&self, class: &str, element: &str, value: &str) -> String {
        let label = self
            .world
            .choices
            .label(&self.world.dictionary, class, element, value);
        label.unwrap_or(value).to_owned()
    }

    fn reference(&self, column: &Column, value: &str) -> String {
        let target = column.reference.as_deref().unwrap_or_default();
        self.world
            .display_of(target, &column.reference_key, value)
            .unwrap_or_default()
    }

    /// A list shows names; entries that are no keys (e-mail addresses of watchers) show themselves.
    fn list(&self, column: &Column, value: &str) -> String {
        let target = column.reference.as_deref().unwrap_or_default();
        let name = |key: &str| {
            self.world
                .display_of(target, "sys_id", key)
                .unwrap_or_else(|| key.to_owned())
        };
        value.split(',').map(name).collect::<Vec<_>>().join(", ")
    }
}

fn thousands(value: &str) -> String {
    let (sign, digits) = value
        .strip_prefix('-')
        .map_or(("", value), |digits| ("-", digits));
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return value.to_owned();
    }
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// A span is stored as the time since the epoch: `1970-01-01 00:00:06` is "6 Seconds".
fn duration(value: &str) -> String {
    let Some(span) = crate::world::time::parse_stamp(value).map(|at| at.timestamp()) else {
        return value.to_owned();
    };
    let parts = [
        ("Day", span / 86_400),
        ("Hour", span / 3600 % 24),
        ("Minute", span / 60 % 60),
        ("Second", span % 60),
    ];
    let parts = parts.iter().filter(|(_, count)| *count > 0);
    let words =
        parts.map(|(unit, count)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_separators() {
        assert_eq!(thousands("4795328"), "4,795,328");
        assert_eq!(thousands("-1234"), "-1,234");
        assert_eq!(thousands("12"), "12");
        assert_eq!(thousands("a12"), "a12");
    }

    #[test]
    fn spans_are_words() {
        assert_eq!(duration("1970-01-01 00:00:06"), "6 Seconds");
        assert_eq!(duration("1970-01-02 01:00:00"), "1 Day 1 Hour");
    }
}
