//! Judges an answer that came over no network: the way from bytes to a value or an error class, for fuzz targets.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

use crate::answer::Answer;
use crate::call::Call;
use crate::error::Error;
use crate::list::Page;
use crate::meta::{CallMeta, number};
use crate::params::Params;
use crate::record::Record;
use crate::token_endpoint::Tokens;
use crate::{classify, decode, token_endpoint};

/// An answer as it could have come.
#[derive(Debug, Clone)]
pub struct Canned<'a> {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: &'a [u8],
    /// The connection ended before the body did.
    pub is_cut: bool,
    /// The present moment, where the answer has no `Date`.
    pub now: DateTime<Utc>,
}

impl Canned<'_> {
    /// As the answer to a list of `table`.
    pub fn page(self, table: &str) -> Result<Page, Error> {
        let answer = self.answer(table)?;
        classify::check(&answer)?;
        let rows = decode::result::<Vec<Record>>(&answer)?.value;
        let total = number(&answer.headers, "x-total-count");
        Ok(Page { rows, total })
    }

    /// As the echo of a write to `table`, or one record of it.
    pub fn record(self, table: &str) -> Result<Record, Error> {
        let answer = self.answer(table)?;
        classify::check(&answer)?;
        Ok(decode::result(&answer)?.value)
    }

    /// As the answer of the token endpoint.
    pub fn tokens(self) -> Result<Tokens, Error> {
        token_endpoint::read(&self.answer("oauth_token")?)
    }

    fn answer(self, table: &str) -> Result<Answer, Error> {
        let call = Call::get(format!("/api/now/table/{table}"), Params::default())?.about(table);
        let meta = CallMeta::of(&call, self.status, &self.headers, Duration::ZERO);
        let mut answer = Answer::new(&call, meta, self.headers, self.now);
        answer.body = self.body.to_vec();
        answer.is_cut = self.is_cut;
        Ok(answer)
    }
}
