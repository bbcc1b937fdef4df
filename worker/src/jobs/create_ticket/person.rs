//! Whom a ticket is for (T6): the first match rule that finds exactly one active user. There is no fall-back to anybody.

use chrono::TimeDelta;
use servicenow_client::{Fields, ListRequest, Query, QueryError, Record};
use shared::route::PersonRule;
use shared::store::people;

use super::super::case::Case;
use crate::effects::FoundPerson;
use crate::fault;
use crate::outcome::{Outcome, Ran, Scope};
use crate::run::Run;

const USERS: &str = "sys_user";

/// Enough rows to see that there are several.
const MOST: u32 = 5;

/// Writes the person into the column of the route's rule. What was looked up is given back, to be remembered.
pub(super) async fn fill(
    run: &Run<'_>,
    case: &Case<'_>,
    fields: &mut Fields,
) -> Ran<Option<FoundPerson>> {
    let Some(rule) = &case.route.person else {
        return Ok(None);
    };
    let (person, fresh) = resolve(run, case, rule).await?;
    fields.set(&rule.field, &person.sys_id);
    Ok(fresh.then_some(person))
}

/// The person, and whether they were looked up just now.
pub(super) async fn resolve(
    run: &Run<'_>,
    case: &Case<'_>,
    rule: &PersonRule,
) -> Ran<(FoundPerson, bool)> {
    let value = case.request.asked.requested_for.trim();
    let connection = &case.seat.connection;
    let key = format!("{}:{}", rule.match_on.join(","), value.to_lowercase());
    let age = TimeDelta::from_std(connection.settings.person_cache()).unwrap_or(TimeDelta::MAX);
    let conn = run.ctx.store.conn();
    let known = people::find(
        conn,
        &connection.name,
        std::slice::from_ref(&key),
        run.now() - age,
    )
    .await?;
    let found = |sys_id: String, name: String| FoundPerson {
        connection: connection.name.clone(),
        key: key.clone(),
        sys_id,
        name,
    };
    if let Some(known) = known.into_iter().next() {
        return Ok((found(known.sys_id, known.name), false));
    }
    run.enter(&connection.name, &users()).await?;
    for column in &rule.match_on {
        if let Some((sys_id, name)) = look_up(run, case, column, value).await? {
            return Ok((found(sys_id, name), true));
        }
    }
    Err(nobody(rule, value).into())
}

/// Asks by one column. Two active users with the same value end the search: nobody is guessed.
async fn look_up(
    run: &Run<'_>,
    case: &Case<'_>,
    column: &str,
    value: &str,
) -> Ran<Option<(String, String)>> {
    let query = by(column, value).map_err(|error| unaskable(column, value, &error))?;
    let list = ListRequest::new(query.clone(), ["sys_id", "name", "active", column]).limit(MOST);
    let table = case.seat.client.table(USERS);
    let page = run
        .read(table.list(&list))
        .await
        .map_err(|error| fault::judge(run, USERS, &error))?;
    let rows = page.value.rows;
    if let Some(mismatch) = rows.iter().find_map(|row| query.verify(row).err()) {
        return Err(not_searchable(column, &format!("{mismatch:?}")).into());
    }
    match rows.as_slice() {
        [] => Ok(None),
        [row] => Ok(person(row)),
        rows => Err(several(column, value, rows).into()),
    }
}

fn users() -> Scope {
    Scope::Table(USERS.to_owned())
}

fn by(column: &str, value: &str) -> Result<Query, QueryError> {
    Query::new()
        .eq(column, value)?
        .eq("active", "true")?
        .order_by("sys_id")
}

fn person(row: &Record) -> Option<(String, String)> {
    Some((
        row.sys_id()?.to_owned(),
        row.get("name").unwrap_or_default().to_owned(),
    ))
}

fn nobody(rule: &PersonRule, value: &str) -> Outcome {
    Outcome::dead(
        "person_not_found",
        format!(
            "requested_for `{value}` is no active user in ServiceNow by {}; correct the value, create or activate the user, or change \
             the `match` rule of the route",
            rule.match_on.join(", ")
        ),
    )
}

fn several(column: &str, value: &str, rows: &[Record]) -> Outcome {
    let ids: Vec<&str> = rows.iter().filter_map(Record::sys_id).collect();
    Outcome::dead(
        "person_ambiguous",
        format!(
            "requested_for `{value}` is more than one active user in ServiceNow by {column} (sys_ids {}); make it unique there, or \
             match by another column",
            ids.join(", ")
        ),
    )
}

fn unaskable(column: &str, value: &str, error: &QueryError) -> Outcome {
    Outcome::dead(
        "person_refused",
        format!("requested_for `{value}` cannot be looked up by {column}: {error}"),
    )
}

fn not_searchable(column: &str, why: &str) -> Outcome {
    Outcome::Park {
        scope: Some(users()),
        class: "untrustworthy",
        reason: format!(
            "sys_user cannot be searched by {column} ({why}): correct the `match` rule of the route, or give the account read and query \
             access to that column"
        ),
    }
}
