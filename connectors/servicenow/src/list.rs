//! One page of a table (wire contract 2.5).

use crate::call::Call;
use crate::error::Error;
use crate::meta::{Reply, number};
use crate::params::{Params, ReadOptions};
use crate::query::Query;
use crate::query_error::QueryError;
use crate::record::Record;
use crate::table::Table;

/// What to list. `sysparm_limit` and `sysparm_offset` are always sent, the `Link` header never asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    pub query: Query,
    pub read: ReadOptions,
    /// Rows per page, counted before row access rules. Default 100.
    pub limit: u32,
    pub offset: u64,
    /// Skip the count: the page then has no total.
    pub no_count: bool,
}

impl ListRequest {
    /// The first 100 rows that match, with stored values of these columns (none given: of all).
    pub fn new<S: Into<String>>(query: Query, fields: impl IntoIterator<Item = S>) -> Self {
        Self {
            query,
            read: ReadOptions::fields(fields),
            limit: 100,
            offset: 0,
            no_count: false,
        }
    }

    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    pub(crate) fn params(&self) -> Result<Params, QueryError> {
        if self.limit == 0 {
            return Err(QueryError::ZeroLimit);
        }
        let mut params = Params::default();
        let query = self.query.to_string();
        if !query.is_empty() {
            params.add("sysparm_query", &query);
        }
        params.add_read(&self.read)?;
        params.add("sysparm_limit", &self.limit.to_string());
        params.add("sysparm_offset", &self.offset.to_string());
        params.add("sysparm_suppress_pagination_header", "true");
        if self.no_count {
            params.add("sysparm_no_count", "true");
        }
        Ok(params)
    }
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// May be shorter than asked for, or empty in the middle, because access rules hide rows after the limit.
    pub rows: Vec<Record>,
    /// `X-Total-Count`: rows that match, counted before access rules.
    pub total: Option<u64>,
}

impl Table {
    /// Reads one page. An empty page means "no rows" or "you may not see any" (wire contract 0.1).
    pub async fn list(&self, request: &ListRequest) -> Result<Reply<Page>, Error> {
        let call = Call::get(self.path()?, request.params()?)?.about(self.name());
        let answer = self.client().answer(&call).await?;
        let rows: Reply<Vec<Record>> = self.client().decoded(&answer)?;
        let total = number(&answer.headers, "x-total-count");
        Ok(rows.map(|rows| Page { rows, total }))
    }
}
