//! Every call the instance got, in order, so that tests can count them.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::lock::hold;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Position, starting at 1.
    pub number: u64,
    /// When it came in, on the instance's clock.
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    /// Decoded query string.
    pub query: String,
    pub table: Option<String>,
    /// User name the call was made as or claimed to be made as.
    pub user: Option<String>,
    /// `table.list`, `table.create`, `token`, `attachment.upload`, …
    pub kind: String,
    /// Status of the answer; 0 when the connection was cut; none while it is worked on.
    pub status: Option<u16>,
}

/// Which calls to look at. Conditions left out match all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallFilter {
    pub method: Option<String>,
    pub table: Option<String>,
    pub kind: Option<String>,
    pub user: Option<String>,
    pub status: Option<u16>,
    /// Start of the path.
    pub path: Option<String>,
    /// Only calls with a greater number.
    pub after: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Vec<CallRecord>>);

impl CallLog {
    /// Notes a call and gives its number.
    pub(crate) fn open(&self, mut record: CallRecord) -> u64 {
        let mut records = hold(&self.0);
        record.number = records.last().map_or(1, |last| last.number + 1);
        let number = record.number;
        records.push(record);
        number
    }

    pub(crate) fn amend(&self, number: u64, change: impl FnOnce(&mut CallRecord)) {
        let mut records = hold(&self.0);
        if let Some(record) = records
            .iter_mut()
            .rev()
            .find(|record| record.number == number)
        {
            change(record);
        }
    }

    pub(crate) fn read(&self, filter: &CallFilter) -> Vec<CallRecord> {
        hold(&self.0)
            .iter()
            .filter(|record| filter.matches(record))
            .cloned()
            .collect()
    }

    pub(crate) fn count(&self, filter: &CallFilter) -> usize {
        hold(&self.0)
            .iter()
            .filter(|record| filter.matches(record))
            .count()
    }

    pub(crate) fn clear(&self) {
        hold(&self.0).clear();
    }
}

impl CallFilter {
    /// Calls of one kind (`table.create`) on one table.
    pub fn kind_on(kind: &str, table: &str) -> Self {
        Self {
            kind: Some(kind.to_owned()),
            table: Some(table.to_owned()),
            ..Self::default()
        }
    }

    /// Calls of one kind on any table.
    pub fn kind(kind: &str) -> Self {
        Self {
            kind: Some(kind.to_owned()),
            ..Self::default()
        }
    }

    fn matches(&self, record: &CallRecord) -> bool {
        let text =
            |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
        text(&self.method, Some(&record.method))
            && text(&self.table, record.table.as_deref())
            && text(&self.kind, Some(&record.kind))
            && text(&self.user, record.user.as_deref())
            && (self.status.is_none() || self.status == record.status)
            && self
                .path
                .as_deref()
                .is_none_or(|path| record.path.starts_with(path))
            && self.after.is_none_or(|after| record.number > after)
    }
}
