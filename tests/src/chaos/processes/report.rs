//! The one table of a run.

use std::fmt::Write as _;

use shared::job::JobState;
use shared::store::jobs;
use simulator::CallFilter;
use tokio::task::block_in_place;

use super::comparison::{Found, Kind};
use super::faults::Log;
use super::installation::Installation;
use super::quiet::Rest;
use super::{Arguments, Verdict};

/// Counts, and whether all that must be zero is zero.
pub(super) async fn verdict(
    arguments: &Arguments,
    it: &Installation,
    log: &Log,
    rest: &Rest,
    found: &Found,
) -> anyhow::Result<Verdict> {
    let count = |kind| {
        found
            .differences
            .iter()
            .filter(|it| it.kind == kind)
            .count()
    };
    let promises = [
        ("lost", count(Kind::Lost)),
        ("duplicates", count(Kind::Duplicate)),
        ("wrong states", count(Kind::WrongState)),
        ("journal doubles", count(Kind::JournalDouble)),
        ("untold callbacks", count(Kind::Untold)),
        ("zombie writes", log.zombie_writes.len()),
    ];
    let holds = rest.after.is_some() && promises.iter().all(|(_, count)| *count == 0);
    let mut table = Table::default();
    table.line("seed", arguments.seed);
    table.line("minutes", arguments.minutes);
    table.line("requests", found.requests);
    table.line("tickets", found.tickets);
    table.line("journal entries", found.entries);
    table.line("callbacks", found.callbacks);
    for (name, count) in promises {
        table.line(name, count);
    }
    let dead = dead_jobs(it).await?;
    let rested = rest
        .after
        .map_or("never".to_owned(), |after| format!("{} s", after.as_secs()));
    table.line("at rest after", rested);
    table.line("flagged for a human", found.flags.len());
    table.line("dead jobs", dead);
    table.line("processes that ended by themselves", it.exits().len());
    table.line(
        "stops with an exit code other than 0",
        log.unclean_stops.len(),
    );
    table.line(
        "Redis keys left",
        block_in_place(|| it.redis().send("DBSIZE")).replace(':', ""),
    );
    table.line(
        "calls to ServiceNow",
        it.simulator.count(&CallFilter::default()),
    );
    for (name, status) in [
        ("  without an answer", 0),
        ("  answered 500", 500),
        ("  answered 429", 429),
    ] {
        let filter = CallFilter {
            status: Some(status),
            ..CallFilter::default()
        };
        table.line(name, it.simulator.count(&filter));
    }
    table.line("faults", log.struck.values().sum::<u64>());
    for (fault, count) in &log.struck {
        table.line(&format!("  {}", fault.name()), count);
    }
    Ok(Verdict {
        table: table.0,
        holds,
    })
}

async fn dead_jobs(it: &Installation) -> anyhow::Result<u64> {
    let counts = jobs::counts(it.store.conn()).await?;
    let dead = counts.iter().filter(|it| it.state == JobState::Dead);
    Ok(dead.map(|it| it.count).sum())
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        writeln!(self.0, "{name:<40} {value:>8}").expect("writing to a string cannot fail");
    }
}
