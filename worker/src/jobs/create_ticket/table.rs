//! A row of a table, by the Table API, under the `sys_id` chosen at intake (wire contract 12.1): sending it twice cannot make two
//! tickets where the instance honours the id, and where it does not the write-ahead protocol takes over.

use std::time::Duration;

use servicenow_client::{Error, Fields, ForbiddenKind, ReadOptions, Record, WriteOptions};
use shared::crash::{Point, reach};
use shared::store::tickets;
use shared::ticket::Ticket;

use super::super::case::Case;
use super::super::mirror;
use super::{LOOKS, find, link, may_be_there, person, render, still_wanted, unclear, wait_out};
use crate::attention::Attention;
use crate::effects::{Effects, Fact, Subject};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;
use crate::trace;

/// One POST on the usual path. After any doubt a read by id and a search by key come first.
pub(super) async fn create(run: &Run<'_>, case: &mut Case<'_>) -> Ran {
    let honours = case.honours_sys_id;
    if may_be_there(run, &case.ticket) {
        if let Some(found) = find::ticket(run, case).await? {
            return Ok(Finished::done(found.adopt(run, case)));
        }
        wait_out(run, &case.ticket, quiet(case, honours))?;
    }
    still_wanted(case)?;
    let mut fields = render(run, case)?;
    let person = person::fill(run, case, &mut fields).await?;
    sign(run, case, &mut fields);
    write_ahead(run, case, honours).await?;
    let mut finished = post(run, case, &fields, honours).await?;
    finished.effects.people.extend(person);
    Ok(finished)
}

/// How long nothing is sent again after a send that may have arrived: as long as an insert can be under way, and where the id does
/// not keep a second row out, as long as the configuration says.
fn quiet(case: &Case<'_>, honours: Option<bool>) -> Duration {
    let under_way = LOOKS[LOOKS.len() - 1];
    match honours {
        Some(true) => under_way,
        _ => under_way.max(case.seat.connection.settings.quiet()),
    }
}

fn sign(run: &Run<'_>, case: &Case<'_>, fields: &mut Fields) {
    if let Some(sys_id) = &case.ticket.sys_id {
        fields.set("sys_id", sys_id);
    }
    fields.set("correlation_id", &case.ticket.correlation_id);
    fields.set("correlation_display", &run.ctx.settings.bridge_name);
}

/// Puts on record that a ticket may be made from now on, unless the id alone keeps a second one out.
async fn write_ahead(run: &Run<'_>, case: &mut Case<'_>, honours: Option<bool>) -> Ran<()> {
    if honours == Some(true) {
        return Ok(());
    }
    mark(run, case).await
}

/// Puts on record that a ticket may be made from now on, as long as this run still holds the job.
pub(super) async fn mark(run: &Run<'_>, case: &mut Case<'_>) -> Ran<()> {
    let now = run.now();
    let (conn, job) = (run.ctx.store.conn(), run.job);
    if !tickets::mark_maybe_sent(conn, case.request.id, &job.lease, job.id, now).await? {
        return Err(Outcome::retry("lease", "the lease was lost before anything was sent").into());
    }
    reach(Point::CreateMarked).await;
    case.ticket.maybe_sent_at = Some(now);
    Ok(())
}

async fn post(run: &Run<'_>, case: &Case<'_>, fields: &Fields, honours: Option<bool>) -> Ran {
    let sent = run.now();
    let options = WriteOptions {
        echo: ReadOptions::fields(echoed(fields)),
        input_display_value: false,
    };
    match run.write(case.seat.table.create(fields, &options)).await? {
        Ok(reply) => Ok(Finished::done(created(
            run,
            case,
            fields,
            &reply.value,
            honours,
        ))),
        Err(error) if leaves_open(&error) => {
            trace::ambiguous();
            Err(case.ended(run, &error, unclear(case, sent)))
        }
        Err(error) => Err(case.ended(run, &error, never_sent(case))),
    }
}

/// The columns of the answer: what is compared, and what is mirrored.
fn echoed(fields: &Fields) -> Vec<&str> {
    let sent = fields
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !mirror::COLUMNS.contains(name));
    mirror::COLUMNS.into_iter().chain(sent).collect()
}

/// Whether the ticket may be there all the same. A refusal by the database is how a second row under the same id is answered.
fn leaves_open(error: &Error) -> bool {
    let refused = matches!(
        error,
        Error::Forbidden {
            kind: ForbiddenKind::Other,
            ..
        }
    );
    refused || error.may_have_committed()
}

/// A call that certainly made nothing takes the mark of its write-ahead back.
fn never_sent(case: &Case<'_>) -> Subject {
    let after = Ticket {
        maybe_sent_at: case.sent_before,
        ..case.ticket.clone()
    };
    case.subject(after, None)
}

/// A clean answer. What the instance did not take over is reported, not ignored.
fn created(
    run: &Run<'_>,
    case: &Case<'_>,
    fields: &Fields,
    echo: &Record,
    honours: Option<bool>,
) -> Effects {
    trace::ticket(echo.get("number"));
    let dropped = mirror::dropped(fields, echo);
    let attention = (!dropped.is_empty()).then_some(Attention::Dropped { fields: &dropped });
    let mut effects = link(run, case, &case.ticket, echo, attention);
    let kept = echo.sys_id() == case.ticket.sys_id.as_deref();
    if honours != Some(kept) {
        effects.facts.push(honours_sys_id(case, kept));
    }
    effects
}

/// What was learned of the table's way with ids.
pub(super) fn honours_sys_id(case: &Case<'_>, honours: bool) -> Fact {
    Fact::HonoursSysId {
        connection: case.ticket.connection.clone(),
        table: case.seat.table.name().to_owned(),
        honours,
    }
}
