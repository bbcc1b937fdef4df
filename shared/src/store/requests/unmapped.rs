//! Requests that stand still because their ticket shows a value that no map knows (T9).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::state_map::UNMAPPED;
use crate::store::StoreError;
use crate::store::sql::Sql;

/// So many flagged requests are looked at, the newest first.
const FLAGGED: i64 = 2_000;

/// A request that is flagged so.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct UnmappedRequest {
    /// Its id.
    pub id: Uuid,
    /// Its route.
    pub route: String,
    /// Its flag: [`crate::state_map::Unmapped`] reads it.
    pub attention: String,
}

/// The requests that are flagged with an unmapped value, newest first, of the newest 2,000 flagged ones.
pub async fn unmapped(conn: &impl ConnectionTrait) -> Result<Vec<UnmappedRequest>, StoreError> {
    Sql::new(
        conn,
        "SELECT id, route, attention FROM (SELECT id, route, attention FROM requests WHERE attention IS NOT NULL \
         ORDER BY created_at DESC, id DESC LIMIT ",
    )
    .bind(FLAGGED)
    .then(") AS flagged WHERE attention LIKE ")
    .bind(format!("{UNMAPPED}%"))
    .then(" ORDER BY id DESC")
    .all(conn)
    .await
}

#[derive(FromQueryResult)]
struct Said {
    subject_id: String,
    at: DateTime<Utc>,
    detail: Json,
}

/// Since when each of these requests, at most a thousand, has its present flag, as the audit trail has it. Without those whose entries are
/// no longer kept.
pub async fn flagged_since(
    conn: &impl ConnectionTrait,
    requests: &[&UnmappedRequest],
) -> Result<HashMap<Uuid, DateTime<Utc>>, StoreError> {
    let flags: HashMap<String, &UnmappedRequest> =
        requests.iter().map(|it| (it.id.to_string(), *it)).collect();
    if flags.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = flags.keys().cloned().collect();
    let said: Vec<Said> = Sql::new(
        conn,
        "SELECT subject_id, at, detail FROM audit_entries WHERE subject_kind = 'request' AND subject_id",
    )
    .one_of(&ids)
    .then(" ORDER BY id")
    .all(conn)
    .await?;
    let raised = |it: Said| {
        let request = flags.get(&it.subject_id)?;
        let is_its = it.detail["attention"][1] == request.attention.as_str();
        is_its.then_some((request.id, it.at))
    };
    Ok(said.into_iter().filter_map(raised).collect())
}
