//! Checks of a connection, one step at a time, so that a caller can show each (wire contract 15.8).

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::kinds::{ConnectKind, UntrustworthyReason};
use crate::list::{ListRequest, Page};
use crate::meta::Reply;
use crate::params::{Params, WriteOptions};
use crate::query::Query;
use crate::zone::{ZoneProbe, zone_probe};

/// No instance has a column of this name.
const UNKNOWN_FIELD: &str = "u_no_such_column_of_any_instance";
/// No record has this id.
const IMPOSSIBLE_ID: &str = "no-such-record";
/// Nor this one, which has the form of an id, as it must have in a path (wire contract 2.1).
const IMPOSSIBLE_SYS_ID: &str = "00000000000000000000000000000000";

/// The steps. They are independent of each other; the order below finds the first cause soonest.
#[derive(Debug, Clone)]
pub struct Probe {
    client: Client,
}

/// The host answered HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub status: u16,
    /// The clock of the server, to be compared with ours.
    pub server_date: Option<DateTime<Utc>>,
    pub duration: Duration,
}

/// Whether a token is needed, and until when it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// The credentials are sent with every call.
    NotUsed,
    Valid {
        expires_at: DateTime<Utc>,
    },
}

/// The account that the client works as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUser {
    pub sys_id: String,
    pub user_name: String,
    pub name: String,
    /// Empty means the default of the system, often US/Pacific. It should be GMT.
    pub time_zone: String,
}

/// What the instance does with a condition on a column that does not exist (wire contract 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownField {
    /// It drops the condition: a typing error returns the whole table.
    Dropped,
    /// It returns no rows (`glide.invalid_query.returns_no_rows`).
    NoRows,
    /// It refuses the query.
    Forbidden,
    /// The table shows no rows at all, so that nothing can be said.
    Unknown,
}

/// What an instance says to a change without content of a record that cannot exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAccess {
    /// "No Record found": it looks for the record before it looks at the right to change it (wire contract 2.8, E8), so nothing is told
    /// but that the API lets the account through.
    Untold,
    /// It says that it has changed the record.
    Answered,
}

impl Probe {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Resolves the host name.
    pub async fn dns(&self) -> Result<Vec<SocketAddr>, Error> {
        let url = self.client.base_url();
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses = tokio::net::lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = match addresses {
            Ok(addresses) => addresses.collect(),
            Err(error) => return Err(unresolved(host, &error.to_string())),
        };
        if addresses.is_empty() {
            return Err(unresolved(host, "no address"));
        }
        Ok(addresses)
    }

    /// Connects, with TLS where the base URL says so, and asks for `/` without credentials. Any answer will do.
    pub async fn reach(&self) -> Result<Reached, Error> {
        let call = Call::get("/".to_owned(), Params::default())?;
        let sending = self.client.http().send(&call, None);
        let answer = self.client.admitted(&call, sending).await?;
        Ok(Reached {
            status: answer.meta.status,
            server_date: answer.meta.server_date,
            duration: answer.meta.duration,
        })
    }

    /// Gets a token where the credentials need one.
    pub async fn token(&self) -> Result<TokenState, Error> {
        let Some(tokens) = self.client.tokens() else {
            return Ok(TokenState::NotUsed);
        };
        let token = tokens.token().await?;
        Ok(TokenState::Valid {
            expires_at: token.expires_at,
        })
    }

    /// Reads one row of a table. No row and no error means: the table is empty or the account may see none of it.
    pub async fn table_read(&self, table: &str) -> Result<Reply<Page>, Error> {
        let fields = ["sys_id", "sys_created_on", "sys_updated_on"];
        let list = ListRequest::new(Query::new(), fields).limit(1);
        self.client.table(table).list(&list).await
    }

    /// The row of the calling account; `None` when it may not see it.
    pub async fn own_user(&self) -> Result<Reply<Option<OwnUser>>, Error> {
        let fields = ["sys_id", "user_name", "name", "time_zone"];
        let list = ListRequest::new(Query::own_user(), fields).limit(2);
        let reply = self.client.table("sys_user").list(&list).await?;
        if reply.value.rows.len() > 1 {
            let reason = UntrustworthyReason::FilterIgnored {
                field: "user_name".to_owned(),
            };
            return Err(crate::changes::untrustworthy(&reply.meta, reason));
        }
        Ok(reply.map(|page| {
            let row = page.rows.first()?;
            let text = |field| row.get(field).unwrap_or_default().to_owned();
            Some(OwnUser {
                sys_id: row.sys_id()?.to_owned(),
                user_name: text("user_name"),
                name: text("name"),
                time_zone: text("time_zone"),
            })
        }))
    }

    /// Asks for a record that cannot exist and gives the number of rows that came: anything but 0 means that
    /// conditions are not honoured and no list of this instance may be believed.
    pub async fn control_query(&self, table: &str) -> Result<Reply<usize>, Error> {
        let query = Query::new().eq("sys_id", IMPOSSIBLE_ID)?;
        let list = ListRequest::new(query, ["sys_id"]).limit(1);
        let reply = self.client.table(table).list(&list).await?;
        Ok(reply.map(|page| page.rows.len()))
    }

    /// What the instance does with unknown columns in a query.
    pub async fn unknown_field(&self, table: &str) -> Result<UnknownField, Error> {
        if self.table_read(table).await?.value.rows.is_empty() {
            return Ok(UnknownField::Unknown);
        }
        let query = Query::new().eq(UNKNOWN_FIELD, "1")?;
        let list = ListRequest::new(query, ["sys_id"]).limit(1);
        match self.client.table(table).list(&list).await {
            Ok(reply) if reply.value.rows.is_empty() => Ok(UnknownField::NoRows),
            Ok(_) => Ok(UnknownField::Dropped),
            Err(Error::Forbidden { .. }) => Ok(UnknownField::Forbidden),
            Err(error) => Err(error),
        }
    }

    /// Tries to change a record that cannot exist, with no column in the body: whatever the instance answers, nothing is changed. A
    /// refusal is an error, as of every call.
    pub async fn table_write(&self, table: &str) -> Result<WriteAccess, Error> {
        let options = WriteOptions::echo_of(&Fields::new());
        let table = self.client.table(table);
        match table
            .update(IMPOSSIBLE_SYS_ID, &Fields::new(), &options)
            .await
        {
            Ok(_) => Ok(WriteAccess::Answered),
            Err(Error::NotFound { .. }) => Ok(WriteAccess::Untold),
            Err(error) => Err(error),
        }
    }

    /// Whether date literals are read as UTC, tried on one row of the table; `None` when there is no row to try.
    pub async fn zone(&self, table: &str) -> Result<Option<ZoneProbe>, Error> {
        let page = self.table_read(table).await?.value;
        match page.rows.first() {
            None => Ok(None),
            Some(row) => {
                let probe = zone_probe(&self.client.table(table), row).await?;
                Ok(Some(probe.value))
            }
        }
    }
}

fn unresolved(host: &str, reason: &str) -> Error {
    let mut failure = Failure::unanswered("DNS", host, "the host name cannot be resolved");
    failure.detail = Some(crate::redact::clean(reason));
    Error::Connect {
        kind: ConnectKind::Dns,
        failure: Box::new(failure),
    }
}
