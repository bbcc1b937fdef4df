//! `check_choices.v1`: reads which values the columns of a table may have, so that a state map that does not fit shows before a ticket
//! does (N10). Whoever looks compares the lists with the maps (`shared::choices`).
//!
//! Most accounts may not read choice lists. Then it is stored that it cannot be told, and what to do; the run ends well, and no circuit
//! opens: nothing else needs these lists.

use servicenow_client::{Error, ForbiddenKind};
use shared::budget::Class;
use shared::choices;
use shared::job::ChoicesCheck;
use shared::route::Route;
use shared::store::choice_lists::{self, Reading};

use super::case::{Seat, gone};
use crate::checkup::{GRANT, UNREADABLE};
use crate::effects::Effects;
use crate::fault;
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;

mod read;
mod told;

/// What a reading brought: the lists, or why there are none.
type Lists = Result<Vec<choices::List>, String>;

pub(super) async fn run(run: &Run<'_>, check: ChoicesCheck) -> Ran {
    let cadence = format!("choices:{}:{}", check.connection, check.table);
    let routes: Vec<&Route> = run
        .ctx
        .routes
        .iter()
        .filter(|it| it.connection == check.connection && it.kind.table() == check.table)
        .collect();
    let mut effects = Effects {
        cadence_finished: Some(cadence),
        ..Effects::default()
    };
    if routes.is_empty() {
        return Ok(Finished::done(effects));
    }
    // Not by `Seat::take`: a circuit of the table says nothing about its choice lists, and this run must not close it.
    let Some(connection) = run.ctx.connections.get(&check.connection) else {
        return Err(gone(&format!("connection `{}`", check.connection)).into());
    };
    let client = connection.client(Class::Bulk);
    let seat = Seat {
        connection,
        client,
        table: client.table(&check.table),
    };
    let lists = match read::all(run, &seat, &columns(&routes), &mut effects).await? {
        Ok(lists) => lists,
        Err(error) => Err(untold(run, &error)?),
    };
    let reading = Reading {
        connection: check.connection,
        table: check.table,
        read_at: run.now(),
        problem: lists.as_ref().err().cloned(),
        lists: lists.unwrap_or_default(),
    };
    let conn = run.ctx.store.conn();
    let before = choice_lists::of(conn, &reading.connection, &reading.table).await?;
    effects
        .audit
        .extend(told::new_findings(&reading, before.as_ref(), &routes));
    told::log(&reading, &routes);
    effects.choices = Some(reading);
    Ok(Finished::done(effects))
}

/// Every column that one of the maps reads.
fn columns(routes: &[&Route]) -> Vec<&'static str> {
    let mut columns: Vec<&str> = routes
        .iter()
        .flat_map(|route| choices::columns(&route.states))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Why the lists cannot be read, when that concerns them alone; every other error ends the run as it does elsewhere.
fn untold(run: &Run<'_>, error: &Error) -> Ran<String> {
    let stray = |kind: &ForbiddenKind| *kind == ForbiddenKind::Api && run.job.attempts == 0;
    match error {
        Error::Forbidden { kind, .. } if stray(kind) => {}
        Error::Forbidden { .. } | Error::Untrustworthy { .. } => {
            return Ok(format!("{UNREADABLE}. {GRANT}"));
        }
        // A log-in that is refused everywhere is told by the jobs that need it. A run that goes first for them must not end well.
        Error::Auth { .. } if run.probes().is_empty() => return Ok(error.to_string()),
        Error::NotFound { .. } | Error::Invalid { .. } | Error::Query(_) => {
            return Ok(error.to_string());
        }
        _ => {}
    }
    let judged: Outcome = fault::judge(run, read::TABLE, error);
    Err(judged.into())
}
