//! Looking people up: found, not found, or ambiguous, never a guess. Only active accounts count.

use std::collections::BTreeMap;

use crate::changes::untrustworthy;
use crate::client::Client;
use crate::error::Error;
use crate::id_chunks::chunk_ids;
use crate::kinds::UntrustworthyReason;
use crate::list::{ListRequest, Page};
use crate::meta::Reply;
use crate::query::Query;
use crate::query_error::QueryError;
use crate::record::Record;

/// Room left in the URL for columns and parameters.
const OTHER_BYTES: usize = 1000;
/// Rows asked for per key, so that doubles are seen.
const ROWS_PER_KEY: usize = 5;

/// `sys_user` of an instance.
#[derive(Debug, Clone)]
pub struct Users {
    client: Client,
}

/// By what a person is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserKey {
    SysId(String),
    UserName(String),
    Email(String),
    EmployeeNumber(String),
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserLookup {
    Found(User),
    /// No active account has this key, or the calling account may not see it.
    NotFound,
    /// Several active accounts have this key; their sys_ids.
    Ambiguous(Vec<String>),
    /// The key cannot be asked for.
    Refused(QueryError),
}

/// An active account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub sys_id: String,
    pub user_name: String,
    pub name: String,
    pub email: String,
    pub employee_number: String,
}

impl UserKey {
    /// The column it is looked up in.
    pub fn field(&self) -> &'static str {
        match self {
            Self::SysId(_) => "sys_id",
            Self::UserName(_) => "user_name",
            Self::Email(_) => "email",
            Self::EmployeeNumber(_) => "employee_number",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::SysId(value)
            | Self::UserName(value)
            | Self::Email(value)
            | Self::EmployeeNumber(value) => value,
        }
    }

    /// Ids are compared exactly, the rest as the database does.
    fn fits(&self, row: &Record) -> bool {
        let got = row.get(self.field()).unwrap_or_default();
        match self {
            Self::SysId(id) => got == id,
            _ => got.trim_end().to_lowercase() == self.value().trim_end().to_lowercase(),
        }
    }
}

impl Users {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Tries the keys in their order until one is found. A key that is ambiguous ends the search.
    pub async fn find_user(&self, keys: &[UserKey]) -> Result<UserLookup, Error> {
        let mut refused = None;
        for key in keys {
            let mut found = self.find_users(std::slice::from_ref(key)).await?;
            match found.remove(key) {
                None | Some(UserLookup::NotFound) => {}
                Some(UserLookup::Refused(error)) => refused = Some(error),
                Some(lookup) => return Ok(lookup),
            }
        }
        Ok(refused.map_or(UserLookup::NotFound, UserLookup::Refused))
    }

    /// Looks many keys up with one call per kind of key and about 150 keys.
    pub async fn find_users(
        &self,
        keys: &[UserKey],
    ) -> Result<BTreeMap<UserKey, UserLookup>, Error> {
        let mut found = BTreeMap::new();
        let mut by_field: BTreeMap<&'static str, Vec<&UserKey>> = BTreeMap::new();
        for key in keys {
            match askable(key) {
                Ok(()) => by_field.entry(key.field()).or_default().push(key),
                Err(error) => {
                    found.insert(key.clone(), UserLookup::Refused(error));
                }
            }
        }
        for (field, mut keys) in by_field {
            keys.sort_unstable();
            keys.dedup();
            let values: Vec<&str> = keys.iter().map(|key| key.value()).collect();
            let mut rest = keys.as_slice();
            for chunk in chunk_ids(&values, OTHER_BYTES) {
                let (asked, later) = rest.split_at(chunk.len());
                rest = later;
                let page = self.rows(field, chunk).await?;
                for key in asked {
                    found.insert((*key).clone(), looked_up(key, &page.value)?);
                }
            }
        }
        Ok(found)
    }

    async fn rows(&self, field: &str, values: &[&str]) -> Result<Reply<Page>, Error> {
        let query = match values {
            [value] => Query::new().eq(field, value)?,
            values => Query::new().in_list(field, values)?,
        };
        let query = query.eq("active", "true")?.order_by("sys_id")?;
        let fields = [
            "sys_id",
            "user_name",
            "name",
            "email",
            "employee_number",
            "active",
        ];
        let limit = u32::try_from(values.len() * ROWS_PER_KEY).unwrap_or(u32::MAX);
        let list = ListRequest::new(query.clone(), fields).limit(limit);
        let reply = self.client.table("sys_user").list(&list).await?;
        let doubt = |reason| untrustworthy(&reply.meta, reason);
        // One key with many doubles is ambiguous whatever the rest is; with several keys the rest may hold the others.
        let is_cut = reply
            .value
            .total
            .is_some_and(|total| total > u64::from(limit));
        if is_cut && values.len() > 1 {
            return Err(doubt(UntrustworthyReason::TooManyRows));
        }
        for row in &reply.value.rows {
            query
                .verify(row)
                .map_err(|mismatch| doubt(mismatch.into()))?;
        }
        Ok(reply)
    }
}

/// A comma would split the list of values.
fn askable(key: &UserKey) -> Result<(), QueryError> {
    Query::new().in_list(key.field(), &[key.value()]).map(drop)
}

fn looked_up(key: &UserKey, page: &Page) -> Result<UserLookup, Error> {
    let mut users: Vec<User> = Vec::new();
    for row in page.rows.iter().filter(|row| key.fits(row)) {
        let user = user(row).ok_or(QueryError::BadId)?;
        if !users.iter().any(|known| known.sys_id == user.sys_id) {
            users.push(user);
        }
    }
    Ok(match users.len() {
        0 => UserLookup::NotFound,
        1 => UserLookup::Found(users.remove(0)),
        _ => UserLookup::Ambiguous(users.into_iter().map(|user| user.sys_id).collect()),
    })
}

fn user(row: &Record) -> Option<User> {
    let text = |field| row.get(field).unwrap_or_default().to_owned();
    Some(User {
        sys_id: row.sys_id()?.to_owned(),
        user_name: text("user_name"),
        name: text("name"),
        email: text("email"),
        employee_number: text("employee_number"),
    })
}
