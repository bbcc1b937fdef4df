//! Reading what changed, one verified page at a time (wire contract 2.3, 2.5 and 2.10).
//!
//! An instance drops conditions and orders it does not allow, cuts pages by access rules after the limit, and counts
//! before them. So every page is checked on our side before a cursor may move.

use crate::cursor::{Cursor, parse_time};
use crate::error::Error;
use crate::failure::Failure;
use crate::kinds::UntrustworthyReason;
use crate::list::{ListRequest, Page};
use crate::meta::{CallMeta, Reply};
use crate::params::DisplayValue;
use crate::query::Query;
use crate::record::Record;
use crate::table::Table;
use crate::verify::Mismatch;

const STAMP: &str = "sys_updated_on";

/// One page of changed rows to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesRequest {
    /// Conditions besides the cursor; every row is checked against them. Orders are dropped.
    pub filters: Query,
    /// Rows after this one. [`Cursor::back_by`] makes the overlap that a poll starts with.
    pub cursor: Cursor,
    /// Columns to read. Those of the filters and `sys_id`, `sys_updated_on`, `sys_mod_count` are added.
    pub fields: Vec<String>,
    pub display_value: DisplayValue,
    /// Rows per page. At most 200, with labels at most 50 (wire contract 2.4).
    pub limit: u32,
    /// So many rows after the cursor are known to be hidden: zero, or [`PageVerdict::next_offset`] of the page before.
    pub offset: u64,
}

/// The most rows of one call: what an instance gives when it is not told how many (wire contract 2.5).
const LARGEST: u64 = 10_000;

impl ChangesRequest {
    /// Pages of 200 rows with stored values.
    pub fn new(filters: Query, cursor: Cursor) -> Self {
        Self {
            filters,
            cursor,
            fields: Vec::new(),
            display_value: DisplayValue::Raw,
            limit: 200,
            offset: 0,
        }
    }

    /// The rows after the cursor that this page is about: how many are left out, and how many follow.
    ///
    /// Rows that are known to be hidden are asked for again rather than left out. One of them may change meanwhile and
    /// move to the end; with an offset, a row that nobody has read would slip into its place. Hidden rows cost no bytes.
    pub fn window(&self) -> (u64, u32) {
        let reach = self.offset.saturating_add(u64::from(self.limit));
        let size = reach.min(LARGEST.max(u64::from(self.limit)));
        (reach - size, u32::try_from(size).unwrap_or(self.limit))
    }

    fn list(&self) -> Result<ListRequest, Error> {
        let query = Query::changed_since(&self.filters, &self.cursor)?;
        let mut fields = self.fields.clone();
        let needed = ["sys_id", STAMP, "sys_mod_count"];
        for name in needed.into_iter().chain(self.filters.fields()) {
            if !fields.iter().any(|field| field == name) {
                fields.push(name.to_owned());
            }
        }
        let (skipped, size) = self.window();
        let mut list = ListRequest::new(query, fields).limit(size).offset(skipped);
        list.read.display_value = self.display_value;
        Ok(list)
    }
}

/// A page that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageVerdict {
    pub rows: Vec<Record>,
    /// The cursor after the last row; `None` when the page brought no row, so that the cursor stays.
    pub next: Option<Cursor>,
    /// [`ChangesRequest::offset`] to go on with and the SAME cursor, when the page brought no row but `more` is true: all its rows are hidden
    /// by access rules. Zero otherwise.
    pub next_offset: u64,
    /// Whether there is anything left to read.
    pub more: bool,
    /// Rows of this page that access rules hid, as far as the total tells, and that were not known to be hidden.
    pub hidden: u64,
}

/// Reads and checks one page. [`Error::Untrustworthy`] means: do not move the cursor.
pub async fn read_page(
    table: &Table,
    request: &ChangesRequest,
) -> Result<Reply<PageVerdict>, Error> {
    let reply = table.list(&request.list()?).await?;
    match judge(request, reply.value) {
        Ok(value) => Ok(Reply {
            value,
            meta: reply.meta,
        }),
        Err(reason) => Err(untrustworthy(&reply.meta, reason)),
    }
}

/// Checks one page that was read for `request`.
pub fn judge(request: &ChangesRequest, page: Page) -> Result<PageVerdict, UntrustworthyReason> {
    let (skipped, size) = request.window();
    let size = u64::from(size);
    let count = page.rows.len() as u64;
    if count > size {
        return Err(UntrustworthyReason::TooManyRows);
    }
    let next = check_rows(request, &page.rows)?;
    let left = page.total.map(|total| total.saturating_sub(skipped));
    let more = match left {
        Some(left) => left > size,
        // Without a total a short page says nothing, so that only an empty one ends the reading.
        None => count > 0,
    };
    let stays = next.is_none() && more;
    Ok(PageVerdict {
        next_offset: if stays { skipped + size } else { 0 },
        hidden: left.map_or(0, |left| {
            let known = request.offset - skipped;
            left.min(size).saturating_sub(count + known)
        }),
        rows: page.rows,
        next,
        more,
    })
}

pub(crate) fn untrustworthy(meta: &CallMeta, reason: UntrustworthyReason) -> Error {
    Error::Untrustworthy {
        reason,
        failure: Box::new(Failure::answered(meta)),
    }
}

impl From<Mismatch> for UntrustworthyReason {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::MissingColumn { field } => Self::MissingColumn { field },
            Mismatch::Unsatisfied { field } => Self::FilterIgnored { field },
        }
    }
}

/// Gives the cursor after the last row. The order of ids is the database's own and is not judged.
fn check_rows(
    request: &ChangesRequest,
    rows: &[Record],
) -> Result<Option<Cursor>, UntrustworthyReason> {
    let mut last: Option<Cursor> = None;
    for row in rows {
        request.filters.verify(row)?;
        let stamp = column(row, STAMP)?;
        let id = column(row, "sys_id")?;
        if parse_time(stamp).is_none() {
            return Err(UntrustworthyReason::BadTimestamp {
                field: STAMP.to_owned(),
            });
        }
        check_place(&request.cursor, stamp, id)?;
        if last.is_some_and(|last| stamp < last.updated_on.as_str()) {
            return Err(UntrustworthyReason::OutOfOrder);
        }
        last = Some(Cursor::after(stamp, id));
    }
    Ok(last)
}

/// A row before the cursor, or the row of the cursor itself, shows that the condition on the stamp was dropped.
fn check_place(cursor: &Cursor, stamp: &str, id: &str) -> Result<(), UntrustworthyReason> {
    let is_before = stamp < cursor.updated_on.as_str();
    let is_cursor = stamp == cursor.updated_on && id == cursor.sys_id;
    if is_before || is_cursor {
        return Err(UntrustworthyReason::FilterIgnored {
            field: STAMP.to_owned(),
        });
    }
    Ok(())
}

fn column<'a>(row: &'a Record, field: &str) -> Result<&'a str, UntrustworthyReason> {
    row.get(field)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| UntrustworthyReason::MissingColumn {
            field: field.to_owned(),
        })
}
