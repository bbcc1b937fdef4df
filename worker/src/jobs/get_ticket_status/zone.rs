//! Times in queries are read in the zone of the calling account (wire contract 2.4): once a day it is verified that this is UTC,
//! or a poll would lose or repeat rows.

use chrono::TimeDelta;
use servicenow_client::{Error, ReadOptions, Record, zone_probe};
use shared::store::{table_facts, tickets};

use super::super::case::Seat;
use crate::effects::Fact;
use crate::outcome::{Outcome, Ran, Scope};
use crate::run::Run;

/// How long a verified zone is believed.
const BELIEVED: TimeDelta = TimeDelta::days(1);

/// How many open tickets are tried, should the first be hidden.
const TRIED: u64 = 3;

/// Verifies the zone on one open ticket, unless that was done lately.
pub(in crate::jobs) async fn check(run: &Run<'_>, seat: &Seat<'_>) -> Ran<Option<Fact>> {
    let (connection, table) = (seat.connection.name.as_str(), seat.table.name());
    let facts = table_facts::get(run.ctx.store.conn(), connection, table).await?;
    let checked = facts.and_then(|facts| facts.zone_ok_at);
    if checked.is_some_and(|at| run.now() - at < BELIEVED) {
        return Ok(None);
    }
    let Some(record) = any_ticket(run, seat).await? else {
        return Ok(None);
    };
    let probe = run.read(zone_probe(&seat.table, &record)).await;
    let probe = probe.map_err(|error| seat.judge(run, &error))?.value;
    if !probe.is_utc() {
        return Err(not_utc(table).into());
    }
    Ok(Some(Fact::ZoneIsUtc {
        connection: connection.to_owned(),
        table: table.to_owned(),
    }))
}

/// A record whose time of creation is known; none when no open ticket can be seen.
async fn any_ticket(run: &Run<'_>, seat: &Seat<'_>) -> Ran<Option<Record>> {
    let (connection, table) = (seat.connection.name.as_str(), seat.table.name());
    let open = tickets::open_page(run.ctx.store.conn(), connection, table, None, TRIED).await?;
    let options = ReadOptions::fields(["sys_id", "sys_created_on"]);
    for sys_id in open
        .iter()
        .filter_map(|(ticket, _)| ticket.sys_id.as_deref())
    {
        match run.read(seat.table.get(sys_id, &options)).await {
            Ok(reply) => return Ok(Some(reply.value)),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(seat.judge(run, &error).into()),
        }
    }
    Ok(None)
}

fn not_utc(table: &str) -> Outcome {
    Outcome::Park {
        scope: Some(Scope::Table(table.to_owned())),
        class: "zone",
        reason: format!(
            "times in queries on {table} are not read as UTC, so changes would be missed; give the integration user the time zone GMT \
             (sys_user.time_zone)"
        ),
    }
}
