//! Looks for the ticket of an earlier run: by the id we chose, then by our key (wire contract 12.1, 12.2).

use servicenow_client::{Error, ListRequest, Query, QueryError, ReadOptions, Record};

use super::super::case::Case;
use super::super::mirror;
use super::{link, table};
use crate::attention::Attention;
use crate::effects::{Effects, Subject};
use crate::outcome::{Outcome, Ran, Scope};
use crate::run::Run;
use crate::trace;

/// More tickets than this with one key would be a fault of their own.
const MOST: u32 = 20;

/// A ticket that an earlier run has made.
pub(super) struct Found {
    row: Record,
    /// All their numbers, when the key is there more than once.
    doubles: Option<String>,
}

impl Found {
    /// Links it instead of making another.
    pub(super) fn adopt(&self, run: &Run<'_>, case: &Case<'_>) -> Effects {
        trace::duplicate_suppressed();
        trace::ticket(self.row.get("number"));
        let doubles = self
            .doubles
            .as_deref()
            .map(|numbers| Attention::Doubles { numbers });
        let mut effects = link(run, case, &case.ticket, &self.row, doubles);
        if case.ticket.sys_id.is_some() && self.row.sys_id() != case.ticket.sys_id.as_deref() {
            effects.facts.push(table::honours_sys_id(case, false));
        }
        effects
    }
}

/// The ticket, if it can be seen.
pub(super) async fn ticket(run: &Run<'_>, case: &Case<'_>) -> Ran<Option<Found>> {
    if let Some(sys_id) = &case.ticket.sys_id {
        let options = ReadOptions::fields(mirror::COLUMNS);
        match run.read(case.seat.table.get(sys_id, &options)).await {
            Ok(reply) => {
                return Ok(Some(Found {
                    row: reply.value,
                    doubles: None,
                }));
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(case.ended(run, &error, Subject::default())),
        }
    }
    by_key(run, case).await
}

/// Several hits: the oldest is adopted, and somebody is told.
async fn by_key(run: &Run<'_>, case: &Case<'_>) -> Ran<Option<Found>> {
    let query = key(&case.ticket.correlation_id)
        .map_err(|error| case.ended(run, &error.into(), Subject::default()))?;
    let list = ListRequest::new(query.clone(), mirror::COLUMNS).limit(MOST);
    let page = run
        .read(case.seat.table.list(&list))
        .await
        .map_err(|error| case.ended(run, &error, Subject::default()))?;
    let mut rows = page.value.rows;
    // A condition that was dropped brings other people's tickets: none of them may be adopted.
    if rows.iter().any(|row| query.verify(row).is_err()) {
        return Err(not_searchable(case).into());
    }
    let numbers: Vec<&str> = rows.iter().filter_map(|row| row.get("number")).collect();
    let doubles = (rows.len() > 1).then(|| numbers.join(", "));
    Ok((!rows.is_empty()).then(|| Found {
        row: rows.swap_remove(0),
        doubles,
    }))
}

fn key(correlation_id: &str) -> Result<Query, QueryError> {
    Query::new()
        .eq("correlation_id", correlation_id)?
        .order_by("sys_created_on")?
        .order_by("sys_id")
}

fn not_searchable(case: &Case<'_>) -> Outcome {
    let table = case.seat.table.name();
    Outcome::Park {
        scope: Some(Scope::Table(table.to_owned())),
        class: "untrustworthy",
        reason: format!(
            "{table} cannot be searched by correlation_id: the account needs read and query access to that column. Until then no \
             ticket is sent a second time"
        ),
    }
}
