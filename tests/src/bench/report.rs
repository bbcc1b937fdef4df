//! The one table of a run: ratios first, because times mean nothing alone.

use std::fmt::{self, Display, Formatter};

use super::creates::Measured;
use super::growth::Growth;
use super::idle::Idle;
use super::lists::Lists;
use super::polling::Polling;
use super::scale::Scale;

/// One latency of the upstream and one concurrency.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) latency: u32,
    pub(super) concurrency: usize,
    pub(super) wrk: f64,
    /// The bare loop, before and after the bridge.
    pub(super) loops: [f64; 2],
    pub(super) bridge: Measured,
    pub(super) embedded: Option<Measured>,
}

/// Everything of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub(super) commits: f64,
    pub(super) rounds: Vec<Round>,
    pub(super) idle: Option<Idle>,
    pub(super) growth: Option<Growth>,
    pub(super) lists: Option<Lists>,
    pub(super) polling: Option<Polling>,
    pub(super) scale: Vec<Scale>,
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "durable commits of one row a second (pgbench)   {:.0}",
            self.commits
        )?;
        for round in &self.rounds {
            write!(f, "{round}")?;
        }
        if let Some(idle) = &self.idle {
            writeln!(f, "\nidle, from the intake call to the POST")?;
            for (name, wait) in [
                ("p50", idle.p50),
                ("p99", idle.p99),
                ("longest", idle.longest),
            ] {
                writeln!(f, "  {name:<43} {:.1} ms", wait.as_secs_f64() * 1_000.0)?;
            }
        }
        if let Some(growth) = &self.growth {
            write!(f, "{growth}")?;
        }
        if let Some(lists) = &self.lists {
            write!(f, "{lists}")?;
        }
        if let Some(polling) = &self.polling {
            write!(f, "{polling}")?;
        }
        for scale in &self.scale {
            write!(f, "{scale}")?;
        }
        Ok(())
    }
}

impl Display for Round {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bare = self.loops.iter().sum::<f64>() / 2.0;
        let [before, after] = self.loops;
        writeln!(
            f,
            "\nupstream {} ms, {} at a time",
            self.latency, self.concurrency
        )?;
        let rate = |f: &mut Formatter<'_>, name: &str, rate: f64, more: &str| {
            writeln!(
                f,
                "  {name:<43} {rate:>7.0}/s   {:>5.1} % of the loop{more}",
                rate / bare * 100.0
            )
        };
        rate(f, "wrk", self.wrk, "")?;
        rate(
            f,
            "bare loop",
            bare,
            &format!(" ({before:.0} before, {after:.0} after)"),
        )?;
        rate(
            f,
            "bridge, PostgreSQL and Redis",
            self.bridge.per_second,
            "",
        )?;
        details(f, &self.bridge)?;
        if let Some(embedded) = &self.embedded {
            let share = embedded.per_second / self.bridge.per_second * 100.0;
            let more = format!(", {share:.1} % of the bridge above");
            rate(f, "bridge, embedded on SQLite", embedded.per_second, &more)?;
            details(f, embedded)?;
        }
        Ok(())
    }
}

/// What processes have used.
pub(super) fn details(f: &mut Formatter<'_>, measured: &Measured) -> fmt::Result {
    let joined = |parts: Vec<String>| parts.join(", ");
    let used = measured.processors.iter();
    let used = joined(
        used.map(|(name, seconds)| format!("{name} {seconds:.2}"))
            .collect(),
    );
    writeln!(f, "    processor seconds for 1,000                {used}")?;
    let memory = measured.memory.iter();
    #[expect(clippy::cast_precision_loss, reason = "mebibytes for people")]
    let memory = memory.map(|(name, kib)| format!("{name} {:.0}", *kib as f64 / 1024.0));
    writeln!(
        f,
        "    most memory, MiB                           {}",
        joined(memory.collect())
    )
}
