//! One column, and the compact text the data files describe it with.

use serde::{Deserialize, Deserializer};

/// What kind of value a column holds; decides comparison, display and checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Guid,
    Integer,
    Decimal,
    Boolean,
    DateTime,
    Date,
    Duration,
    Choice,
    IntChoice,
    Reference,
    List,
    Journal,
    JournalList,
    Password,
    /// The row's class, shown by the class's label.
    Class,
    /// A domain: `global` for all rows of an instance without domain separation.
    Domain,
}

/// A column definition as `sys_dictionary` would have it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// ServiceNow's name of the type, for `sys_dictionary.internal_type`.
    pub(crate) internal_type: String,
    pub(crate) max_length: usize,
    /// Table a reference or list points to.
    pub(crate) reference: Option<String>,
    /// Column of that table the value names; `sys_id` nearly always.
    pub(crate) reference_key: String,
    pub(crate) default: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) mandatory: bool,
    pub(crate) unique: bool,
    pub(crate) display: bool,
}

impl Column {
    /// Reads `Label; type [argument]; flags…`, for example `Caller; ref sys_user; mandatory` or
    /// `State; int_choice; default=1`. An unknown type is plain text.
    pub(crate) fn parse(spec: &str) -> Self {
        let mut parts = spec.split(';').map(str::trim);
        let label = parts.next().unwrap_or_default().to_owned();
        let (word, argument) = split_word(parts.next().unwrap_or("string"));
        let mut column = Self {
            name: String::new(),
            label,
            kind: kind_of(word),
            internal_type: internal_type(word).to_owned(),
            max_length: argument.parse().unwrap_or(40),
            reference: None,
            reference_key: "sys_id".to_owned(),
            default: None,
            read_only: false,
            mandatory: false,
            unique: false,
            display: false,
        };
        if matches!(column.kind, Kind::Reference | Kind::List) {
            column.point_to(argument);
        }
        for flag in parts {
            column.flag(flag);
        }
        column
    }

    fn point_to(&mut self, target: &str) {
        let (table, key) = target.split_once('.').unwrap_or((target, "sys_id"));
        self.reference = Some(table.to_owned());
        key.clone_into(&mut self.reference_key);
        self.max_length = if self.kind == Kind::List { 4000 } else { 80 };
    }

    fn flag(&mut self, flag: &str) {
        match flag {
            "ro" => self.read_only = true,
            "mandatory" => self.mandatory = true,
            "unique" => self.unique = true,
            "display" => self.display = true,
            other => self.default = other.strip_prefix("default=").map(str::to_owned),
        }
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|spec| Self::parse(&spec))
    }
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn kind_of(word: &str) -> Kind {
    match word {
        "guid" | "GUID" => Kind::Guid,
        "integer" => Kind::Integer,
        "decimal" | "float" => Kind::Decimal,
        "boolean" => Kind::Boolean,
        "date_time" | "glide_date_time" => Kind::DateTime,
        "date" | "glide_date" => Kind::Date,
        "duration" | "glide_duration" => Kind::Duration,
        "choice" => Kind::Choice,
        "int_choice" => Kind::IntChoice,
        "ref" | "reference" => Kind::Reference,
        "list" | "glide_list" => Kind::List,
        "journal" | "journal_input" => Kind::Journal,
        "journal_list" => Kind::JournalList,
        "password" => Kind::Password,
        "class" => Kind::Class,
        "domain" => Kind::Domain,
        _ => Kind::Text,
    }
}

fn internal_type(word: &str) -> &str {
    match word {
        "guid" => "GUID",
        "date_time" => "glide_date_time",
        "date" => "glide_date",
        "duration" => "glide_duration",
        "int_choice" => "integer",
        "ref" => "reference",
        "list" => "glide_list",
        "journal" => "journal_input",
        "class" => "sys_class_name",
        "domain" => "domain_id",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_text_says_label_type_and_flags() {
        let column = Column::parse("Table; ref sys_db_object.name; mandatory; default=task");
        assert_eq!(column.label, "Table");
        assert_eq!(column.kind, Kind::Reference);
        assert_eq!(column.reference.as_deref(), Some("sys_db_object"));
        assert_eq!(column.reference_key, "name");
        assert_eq!(column.default.as_deref(), Some("task"));
        assert!(column.mandatory && !column.unique);
        assert_eq!(
            Column::parse("Short description; string 160").max_length,
            160
        );
    }
}
