//! From the state a ticket has to the one it shall have: at once, or step by step where the instance refuses the jump (T10).

use std::collections::BTreeMap;

use servicenow_client::{Error, Fields, ForbiddenKind, ReadOptions, WriteOptions};
use shared::ticket::Ticket;

use super::super::case::Case;
use super::super::mirror;
use crate::effects::Effects;
use crate::outcome::{Outcome, Ran};
use crate::run::Run;

/// What the instance made of one PATCH.
enum Step {
    /// It shows what was written.
    Taken(Ticket),
    /// A business rule aborted it, or the old state stayed without a word (wire contract 3.6).
    Refused { ticket: Ticket, why: String },
}

/// Writes `columns`; when the jump is refused, goes by the path of the route's map.
pub(super) async fn to(
    run: &Run<'_>,
    case: &Case<'_>,
    now: &Ticket,
    columns: &BTreeMap<String, String>,
) -> Ran<Ticket> {
    let (mut ticket, refused) = match step(run, case, now, columns).await? {
        Step::Taken(ticket) => return Ok(ticket),
        Step::Refused { ticket, why } => (ticket, why),
    };
    let from = ticket.state.clone().unwrap_or_default();
    let to = columns.get("state").map(String::as_str).unwrap_or_default();
    let path = case.route.states.path(&from, to);
    if path.is_empty() {
        return Err(no_way(case, &ticket, to, &refused));
    }
    for state in path {
        let through = BTreeMap::from([("state".to_owned(), state.clone())]);
        ticket = match step(run, case, &ticket, &through).await? {
            Step::Taken(ticket) => ticket,
            Step::Refused { ticket, why } => return Err(no_way(case, &ticket, &state, &why)),
        };
    }
    match step(run, case, &ticket, columns).await? {
        Step::Taken(ticket) => Ok(ticket),
        Step::Refused { ticket, why } => Err(no_way(case, &ticket, to, &why)),
    }
}

/// One PATCH of absolute values.
async fn step(
    run: &Run<'_>,
    case: &Case<'_>,
    before: &Ticket,
    columns: &BTreeMap<String, String>,
) -> Ran<Step> {
    let fields: Fields = columns.iter().collect();
    let echoed = columns
        .keys()
        .map(String::as_str)
        .filter(|it| !mirror::COLUMNS.contains(it));
    let options = WriteOptions {
        echo: ReadOptions::fields(mirror::COLUMNS.into_iter().chain(echoed)),
        input_display_value: false,
    };
    let sys_id = case.ticket.sys_id.as_deref().unwrap_or_default();
    match run
        .write(case.seat.table.update(sys_id, &fields, &options))
        .await?
    {
        Ok(reply) => {
            let ticket = mirror::observe(case.route, before, &reply.value, run.now());
            let lost = mirror::dropped(&fields, &reply.value);
            Ok(taken(columns, ticket, &lost))
        }
        Err(Error::Forbidden {
            kind: ForbiddenKind::BusinessRule,
            failure,
        }) => Ok(Step::Refused {
            ticket: before.clone(),
            why: failure.to_string(),
        }),
        Err(error) => {
            let outcome = match &error {
                // Often one closed record, not the whole table.
                Error::Forbidden {
                    kind: ForbiddenKind::Acl,
                    ..
                } => Outcome::dead("forbidden_acl", error.to_string()),
                error => case.seat.judge(run, error),
            };
            Err(outcome.with(Effects::of(case.subject(before.clone(), None))))
        }
    }
}

fn taken(columns: &BTreeMap<String, String>, ticket: Ticket, lost: &str) -> Step {
    let wanted = columns.get("state");
    if wanted.is_none() || wanted == ticket.state.as_ref() {
        if !lost.is_empty() {
            tracing::warn!(
                fields = lost,
                "the instance did not take over every column of a state"
            );
        }
        return Step::Taken(ticket);
    }
    Step::Refused {
        why: format!("the instance kept its own value of {lost}"),
        ticket,
    }
}

/// The ticket stays where it got to; somebody has to say how it goes on.
fn no_way(case: &Case<'_>, ticket: &Ticket, to: &str, why: &str) -> Box<crate::outcome::Finished> {
    let from = ticket.state.as_deref().unwrap_or_default();
    let reason = format!(
        "the instance refuses to bring the ticket from state {from} to {to} ({why}); name the steps in between in paths_out of route `{}`, \
         as \"{from}->{to}\" = [\"…\"]",
        case.route.name
    );
    Outcome::dead("refused_jump", reason).with(Effects::of(case.subject(ticket.clone(), None)))
}
