//! Whether the account's time zone is UTC, as far as queries are concerned (wire contract 2.4).

use crate::changes::untrustworthy;
use crate::cursor::parse_time;
use crate::error::Error;
use crate::kinds::UntrustworthyReason;
use crate::list::ListRequest;
use crate::meta::Reply;
use crate::query::Query;
use crate::record::Record;
use crate::table::Table;

const STAMP: &str = "sys_created_on";

/// How many rows the two questions about one record brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneProbe {
    /// `sys_id=<id>^sys_created_on>=<its stamp>`: 1 when literals are read as UTC.
    pub at_or_after: usize,
    /// `sys_id=<id>^sys_created_on><its stamp>`: 0 when literals are read as UTC.
    pub after: usize,
}

impl ZoneProbe {
    /// Whether date literals mean what stored values mean. If not, a poll would lose or repeat rows: refuse it and
    /// give the integration user the time zone GMT.
    pub fn is_utc(&self) -> bool {
        self.at_or_after == 1 && self.after == 0
    }
}

/// Asks both questions about a record that was read with stored values of `sys_id` and `sys_created_on`.
pub async fn zone_probe(table: &Table, record: &Record) -> Result<Reply<ZoneProbe>, Error> {
    let (Some(id), Some(stamp)) = (record.sys_id(), record.get(STAMP)) else {
        return Err(crate::QueryError::BadId.into());
    };
    if parse_time(stamp).is_none() {
        return Err(crate::QueryError::BadTimestamp.into());
    }
    let this = Query::new().eq("sys_id", id)?;
    let (at_or_after, _) = rows(table, this.clone().ge(STAMP, stamp)?, id).await?;
    let (after, meta) = rows(table, this.gt(STAMP, stamp)?, id).await?;
    Ok(Reply {
        value: ZoneProbe { at_or_after, after },
        meta,
    })
}

async fn rows(table: &Table, query: Query, id: &str) -> Result<(usize, crate::CallMeta), Error> {
    let request = ListRequest::new(query, ["sys_id"]).limit(2);
    let reply = table.list(&request).await?;
    let is_other = |row: &Record| row.sys_id() != Some(id);
    if reply.value.rows.iter().any(is_other) {
        let reason = UntrustworthyReason::FilterIgnored {
            field: "sys_id".to_owned(),
        };
        return Err(untrustworthy(&reply.meta, reason));
    }
    Ok((reply.value.rows.len(), reply.meta))
}
