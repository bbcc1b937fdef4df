//! Rows as JSON: raw, displayed or both, with or without links (wire contract 2.4).

mod cell;
mod display;
mod record;

pub(crate) use record::Record;

use crate::query::path::Path;
use crate::world::{Act, Fields, World};

/// `sysparm_display_value`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Display {
    #[default]
    Raw,
    Shown,
    All,
}

impl Display {
    /// Reads the parameter; anything unknown is raw.
    pub(crate) fn read(text: Option<&str>) -> Self {
        match text {
            Some("true") => Self::Shown,
            Some("all") => Self::All,
            _ => Self::Raw,
        }
    }
}

/// How a caller wants rows shown.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) act: Act<'a>,
    /// Start of every link, without a slash at its end.
    pub(crate) base_url: &'a str,
    pub(crate) display: Display,
    pub(crate) exclude_link: bool,
    /// `sysparm_fields`; none = all columns of the table.
    pub(crate) names: Option<&'a [String]>,
}

impl View<'_> {
    /// One row seen as a row of `table`. Unknown and unreadable fields are left out.
    pub(crate) fn record(&self, table: &str, fields: &Fields) -> Record {
        let mut record = Record::default();
        match self.names {
            Some(names) => {
                for name in names {
                    self.add(&mut record, table, name, fields);
                }
            }
            None => {
                for name in self.world.dictionary.columns(table).keys() {
                    self.add(&mut record, table, name, fields);
                }
            }
        }
        record
    }

    fn add(&self, record: &mut Record, table: &str, name: &str, fields: &Fields) {
        let Some(path) = Path::find(self.world, table, name) else {
            return;
        };
        if path
            .steps(table)
            .all(|(table, column)| self.world.sees_field(&self.act, table, column))
        {
            let value = self.cell(&path, fields);
            record.push(name, value);
        }
    }
}
