//! The Table API for one row at a time (wire contract 2.1).

use std::collections::HashMap;

use reqwest::Method;
use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::decode::wrong_shape;
use crate::error::Error;
use crate::fields::Fields;
use crate::meta::Reply;
use crate::names::{check_field, check_id, check_table};
use crate::params::{Params, ReadOptions, WriteOptions};
use crate::query::Query;
use crate::query_error::QueryError;
use crate::record::Record;

/// One table of an instance.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

#[derive(Deserialize)]
struct Aggregate {
    stats: HashMap<String, serde_json::Value>,
}

impl Table {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads one row: GET `/api/now/table/{table}/{id}`.
    pub async fn get(&self, id: &str, options: &ReadOptions) -> Result<Reply<Record>, Error> {
        let mut params = Params::default();
        params.add_read(options)?;
        let call = Call::get(self.row_path(id)?, params)?.about(&self.name);
        self.client.fetch(&call).await
    }

    /// Creates one row: POST. A `sys_id` among the fields is honoured, which makes the call repeatable (wire contract
    /// 12.1). Compare the echo with [`Record::differences`].
    pub async fn create(
        &self,
        fields: &Fields,
        options: &WriteOptions,
    ) -> Result<Reply<Record>, Error> {
        self.write(Method::POST, self.path()?, fields, options)
            .await
    }

    /// Changes columns of one row: PATCH. Columns that are not named stay as they are.
    pub async fn update(
        &self,
        id: &str,
        fields: &Fields,
        options: &WriteOptions,
    ) -> Result<Reply<Record>, Error> {
        self.write(Method::PATCH, self.row_path(id)?, fields, options)
            .await
    }

    /// Counts rows with the Aggregate API (wire contract 8). Row scripts may still hide some of them.
    pub async fn count(&self, query: &Query) -> Result<Reply<u64>, Error> {
        check_table(&self.name)?;
        let mut params = Params::default();
        params.add("sysparm_count", "true");
        let text = query.to_string();
        if !text.is_empty() {
            params.add("sysparm_query", &text);
        }
        let call = Call::get(format!("/api/now/stats/{}", self.name), params)?.about(&self.name);
        let answer = self.client.answer(&call).await?;
        let reply: Reply<Aggregate> = self.client.decoded(&answer)?;
        let count = reply.value.stats.get("count").and_then(whole_number);
        let count = count.ok_or_else(|| wrong_shape(&answer, "the answer has no count"))?;
        Ok(reply.map(|_| count))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn path(&self) -> Result<String, QueryError> {
        check_table(&self.name)?;
        Ok(format!("/api/now/table/{}", self.name))
    }

    fn row_path(&self, id: &str) -> Result<String, QueryError> {
        check_id(id)?;
        Ok(format!("{}/{id}", self.path()?))
    }

    async fn write(
        &self,
        method: Method,
        path: String,
        fields: &Fields,
        options: &WriteOptions,
    ) -> Result<Reply<Record>, Error> {
        for (name, _) in fields.iter() {
            check_field(name)?;
        }
        let mut params = Params::default();
        params.add_write(options)?;
        let body = json_bytes(fields);
        let call = Call::write(method, path, params, body)?.about(&self.name);
        self.client.fetch(&call).await
    }
}

/// Text maps always serialise.
pub(crate) fn json_bytes(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

fn whole_number(value: &serde_json::Value) -> Option<u64> {
    match value {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}
