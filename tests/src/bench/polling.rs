//! What polling costs with many open tickets: when nothing changes, and when one in a hundred changes each minute.
//!
//! The bridge itself makes the tickets. Then the clock of the instance is put ahead, so that their creation is past: else each poll
//! would read them again for as long as it reaches back.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use shared::store::tickets;
use tokio::time::sleep;

use super::bridge::{Bridge, ByKind, Plan, Setup};
use crate::terminal;

mod instance;
mod lag;

use instance::Instance;
use lag::Lag;

const CONCURRENCY: usize = 64;
/// Tickets that are taken in at a time.
const SOME: usize = 20_000;
/// Open tickets of which none changes.
const QUIET: usize = 10_000;
const QUIET_POLLS: u32 = 2;
/// Of so many open tickets, one changes each minute.
const ONE_IN: usize = 100;
const MINUTES: u32 = 2;
/// More than twice `overlap_seconds`: the cursor stays so far behind the instance's time, and a poll reaches back so far behind it.
const AGE: Duration = Duration::from_mins(6);
/// A poll that ends so long after its turn has failed.
const PATIENCE: Duration = Duration::from_mins(5);
const BEAT: Duration = Duration::from_millis(50);

/// What was measured.
#[derive(Debug, Clone)]
pub(super) struct Polling {
    poll_seconds: u32,
    quiet: usize,
    /// Calls to the instance of each poll while none of the quiet ones changed.
    quiet_calls: f64,
    open: usize,
    changed: usize,
    /// Calls to the instance in each minute.
    calls: f64,
    /// Seconds of processors in each minute, by kind of process.
    processors: ByKind<f64>,
    lag: Lag,
}

/// Lets the bridge make so many tickets and polls them.
pub(super) async fn measure(open: usize, poll_seconds: u32) -> anyhow::Result<Polling> {
    ensure!(open >= ONE_IN, "at least {ONE_IN} open tickets");
    let instance = Instance::start(CONCURRENCY).await?;
    let plan = Plan {
        setup: Setup::ONE_OF_EACH,
        upstream: instance.url(),
        concurrency: CONCURRENCY,
        poll_seconds,
    };
    let bridge = Bridge::start(&plan).await?;
    let quiet = QUIET.min(open);
    create(&bridge, &instance, 0..quiet).await?;
    terminal::say(&format!("polling {quiet} tickets that do not change"));
    let before = instance.calls().await?;
    until_polled(&bridge, QUIET_POLLS).await?;
    let quiet_calls = instance.calls().await? - before;
    if open > quiet {
        create(&bridge, &instance, quiet..open).await?;
    }
    let changing = open / ONE_IN * usize::try_from(MINUTES)?;
    terminal::say(&format!(
        "polling {open} tickets, {changing} of which change"
    ));
    let tickets = some_tickets(&bridge, changing).await?;
    let calls = instance.calls().await?;
    let processors = processors(&bridge, &instance).await?;
    let changed = lag::change(&instance, &tickets, Duration::from_mins(MINUTES.into())).await?;
    let used = self::processors(&bridge, &instance).await?;
    let calls = instance.calls().await? - calls;
    let lag = lag::measure(&bridge, &changed, Duration::from_secs(poll_seconds.into())).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (quiet_calls, calls) = (quiet_calls as f64, calls as f64);
    let used = processors
        .iter()
        .zip(used)
        .map(|((name, before), (_, after))| {
            let seconds = after.saturating_sub(*before).as_secs_f64();
            (*name, seconds / f64::from(MINUTES))
        });
    Ok(Polling {
        poll_seconds,
        quiet,
        quiet_calls: quiet_calls / f64::from(QUIET_POLLS),
        open,
        changed: changing,
        calls: calls / f64::from(MINUTES),
        processors: used.collect(),
        lag,
    })
}

/// Has these tickets made, and waits until polls have left their creation behind.
async fn create(
    bridge: &Bridge,
    instance: &Instance,
    numbers: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    terminal::say(&format!("making {} tickets", numbers.len()));
    let end = numbers.end;
    for start in numbers.step_by(SOME) {
        let some = start..(start + SOME).min(end);
        let count = some.len();
        bridge.take_in(some).await?;
        bridge.until_created(count).await?;
    }
    let made = bridge.tickets().await?;
    ensure!(made == end, "{made} tickets of {end}");
    instance.age(AGE).await?;
    // One may be under way, the next reads all that is new, and the one after it begins behind that.
    until_polled(bridge, 3).await
}

/// Waits until so many more polls have ended.
async fn until_polled(bridge: &Bridge, polls: u32) -> anyhow::Result<()> {
    let ended = "SELECT COALESCE(MAX((EXTRACT(EPOCH FROM last_finished_at) * 1000000)::bigint), 0) AS number \
                 FROM cadences WHERE kind = 'changes'";
    let mut last = bridge.number(ended).await?;
    for _ in 0..polls {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = bridge.number(ended).await?;
            if now != last {
                last = now;
                break;
            }
            ensure!(Instant::now() < deadline, "no poll ends");
            sleep(BEAT).await;
        }
    }
    Ok(())
}

/// The records of some open tickets.
async fn some_tickets(bridge: &Bridge, count: usize) -> anyhow::Result<Vec<String>> {
    let conn = bridge.store().conn();
    let some = tickets::open_page(conn, "main", "incident", None, u64::try_from(count)?).await?;
    let sys_ids = some.into_iter().map(|(ticket, _)| ticket.sys_id);
    sys_ids
        .collect::<Option<_>>()
        .context("every ticket has a record")
}

async fn processors(bridge: &Bridge, instance: &Instance) -> anyhow::Result<ByKind<Duration>> {
    let mut used = bridge.processors().await?;
    used.push(("instance", instance.processor()?));
    Ok(used)
}

impl Display for Polling {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\npolling every {} s", self.poll_seconds)?;
        let quiet = format!("calls a poll, {} open, none changes", self.quiet);
        writeln!(
            f,
            "  {quiet:<43} {:>7.1}     one is the aim",
            self.quiet_calls
        )?;
        #[expect(clippy::cast_precision_loss, reason = "ratios for people")]
        let changed = self.changed as f64 / f64::from(MINUTES);
        let polls = 60.0 / f64::from(self.poll_seconds);
        writeln!(f, "  {} open, {changed:.0} change each minute", self.open)?;
        writeln!(
            f,
            "    {:<41} {:>7.2}     {:.1} a poll, {:.1} a minute",
            "calls for each change",
            self.calls / changed,
            self.calls / polls,
            self.calls
        )?;
        let used = self.processors.iter();
        let used: Vec<String> = used
            .map(|(name, seconds)| format!("{name} {:.2} % ({seconds:.2} s)", seconds / 0.6))
            .collect();
        writeln!(
            f,
            "    of one processor (seconds a minute)        {}",
            used.join(", ")
        )?;
        writeln!(
            f,
            "    from the change to its being stored, as a share of the time between two polls"
        )?;
        for (name, wait) in [
            ("p50", self.lag.p50),
            ("p99", self.lag.p99),
            ("longest", self.lag.longest),
        ] {
            let wait = wait.as_secs_f64();
            let share = wait / f64::from(self.poll_seconds) * 100.0;
            writeln!(f, "      {name:<39} {share:>7.1} % ({wait:.1} s)")?;
        }
        Ok(())
    }
}
