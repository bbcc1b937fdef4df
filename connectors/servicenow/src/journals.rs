//! Reading comments and work notes, and looking for a marker before a re-send (wire contract 2.7).

use crate::client::Client;
use crate::error::Error;
use crate::list::ListRequest;
use crate::meta::Reply;
use crate::names::{check_field, check_id};
use crate::params::{DisplayValue, ReadOptions};
use crate::query::Query;
use crate::query_error::QueryError;
use crate::record::Record;

/// The newest entries; older ones are of no use to a bridge.
const MAX_ENTRIES: u32 = 200;

/// The journals of records.
#[derive(Debug, Clone)]
pub struct Journals {
    client: Client,
}

/// The journal of one record, newest entry first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub entries: Vec<JournalEntry>,
    pub source: JournalSource,
}

/// Where a journal was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalSource {
    /// `sys_journal_field`: one row per entry.
    Entries,
    /// The rendered text of the record, because the account sees no entries. `None` where a column is not readable.
    Rendered {
        comments: Option<String>,
        work_notes: Option<String>,
    },
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub sys_id: String,
    /// `comments` (seen by the requester) or `work_notes` (internal).
    pub element: String,
    pub value: String,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    pub created_on: String,
    /// A user_name.
    pub created_by: String,
}

/// Whether a marker is in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerSearch {
    /// It is there: do not write again.
    Found,
    /// The journal was read and it is not there.
    Absent,
    /// The account can read neither the entries nor the text.
    Unreadable,
}

impl Journals {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The newest 200 entries, or the rendered text when the account sees none.
    pub async fn read(&self, table: &str, id: &str) -> Result<Reply<Journal>, Error> {
        let structured = self.entries(of_record(table, id)?).await;
        if let Ok(reply) = &structured
            && !reply.value.is_empty()
        {
            return structured.map(|reply| {
                reply.map(|entries| Journal {
                    entries,
                    source: JournalSource::Entries,
                })
            });
        }
        refused_or_empty(structured)?;
        let record = self.rendered(table, id).await?;
        Ok(record.map(|record| Journal {
            entries: Vec::new(),
            source: JournalSource::Rendered {
                comments: text(&record, "comments"),
                work_notes: text(&record, "work_notes"),
            },
        }))
    }

    /// Whether an entry of one journal column (`comments` or `work_notes`) holds a marker. A list without it proves nothing, for
    /// accounts often see no entries: then [`marker_in_text`](Self::marker_in_text) tells.
    pub async fn marker_in_entries(
        &self,
        table: &str,
        id: &str,
        element: &str,
        marker: &str,
    ) -> Result<Reply<bool>, Error> {
        check_field(element)?;
        let query = of_record(table, id)?
            .eq("element", element)?
            .like("value", marker)?;
        let holds = |entry: &JournalEntry| entry.element == element && entry.value.contains(marker);
        let reply = self.entries(query).await?;
        Ok(reply.map(|entries| entries.iter().any(holds)))
    }

    /// Looks for a marker in the rendered text of one journal column.
    pub async fn marker_in_text(
        &self,
        table: &str,
        id: &str,
        element: &str,
        marker: &str,
    ) -> Result<Reply<MarkerSearch>, Error> {
        check_field(element)?;
        let record = self.rendered(table, id).await?;
        Ok(record.map(|record| match text(&record, element) {
            Some(text) if text.contains(marker) => MarkerSearch::Found,
            Some(_) => MarkerSearch::Absent,
            None => MarkerSearch::Unreadable,
        }))
    }

    async fn entries(&self, query: Query) -> Result<Reply<Vec<JournalEntry>>, Error> {
        let query = query.order_by_desc("sys_created_on")?;
        let fields = [
            "sys_id",
            "element_id",
            "name",
            "element",
            "value",
            "sys_created_on",
            "sys_created_by",
        ];
        let list = ListRequest::new(query.clone(), fields).limit(MAX_ENTRIES);
        let reply = self.client.table("sys_journal_field").list(&list).await?;
        // Rows that only came because a condition was dropped belong to other records.
        Ok(reply.map(|page| {
            page.rows
                .iter()
                .filter(|row| query.verify(row).is_ok())
                .filter_map(entry)
                .collect()
        }))
    }

    async fn rendered(&self, table: &str, id: &str) -> Result<Reply<Record>, Error> {
        let options = ReadOptions {
            display_value: DisplayValue::All,
            ..ReadOptions::fields(["sys_id", "comments", "work_notes"])
        };
        self.client.table(table).get(id, &options).await
    }
}

fn of_record(table: &str, id: &str) -> Result<Query, QueryError> {
    check_id(id)?;
    Query::new().eq("element_id", id)?.eq("name", table)
}

/// A refusal of the entries is the reason for the fall-back; everything else is a fault.
fn refused_or_empty<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Ok(_) | Err(Error::Forbidden { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn text(record: &Record, field: &str) -> Option<String> {
    record.display(field).map(str::to_owned)
}

fn entry(row: &Record) -> Option<JournalEntry> {
    let text = |field| row.get(field).map(str::to_owned);
    Some(JournalEntry {
        sys_id: row.sys_id()?.to_owned(),
        element: text("element")?,
        value: text("value")?,
        created_on: text("sys_created_on").unwrap_or_default(),
        created_by: text("sys_created_by").unwrap_or_default(),
    })
}
