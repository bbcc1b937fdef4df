//! `points`: seeded sequences in process, in which processes die at named points and their neighbours fail. Each run is one seed, on
//! SQLite and with a clock of its own; after it everything comes to rest and is compared request by request.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use futures::FutureExt as _;

use self::play::Play;
use self::stage::Stage;
use self::tally::Tally;
use super::Verdict;
use crate::databases::Flavour;
use crate::terminal;

pub mod fault;
pub mod judge;
pub mod plan;
pub mod play;
pub mod process;
pub mod stage;
pub mod tally;
pub mod world;

/// Runs that are played on one stage before somebody hears of them.
const HEARD_EVERY: u64 = 500;

/// Kills processes of the bridge at named points, in process.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// How many runs; each has the seed after the one before it.
    #[arg(long, default_value_t = 10_000)]
    pub runs: u64,
    /// Seed of the first run; `--runs 1 --seed S` repeats a single one.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Runs that are played side by side.
    #[arg(long, default_value_t = 2)]
    pub threads: u32,
}

/// Plays all runs.
pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let tally = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads)
            .map(|_| scope.spawn(|| play(arguments, &next)))
            .collect();
        let mut all = Tally::default();
        for thread in threads {
            let tally = thread.join().ok().context("a run panicked")?;
            all.merge(tally?);
        }
        anyhow::Ok(all)
    })?;
    Ok(Verdict {
        table: tally.table(arguments.seed, begun.elapsed()),
        holds: tally.holds(),
    })
}

/// One thread: a stage, and runs until none is left.
fn play(arguments: &Arguments, next: &AtomicU64) -> anyhow::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime starts")?;
    runtime.block_on(async {
        let mut stage = Stage::build(Flavour::Sqlite).await;
        let mut tally = Tally::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= arguments.runs {
                return Ok(tally);
            }
            if number > 0 && number.is_multiple_of(HEARD_EVERY) {
                terminal::say(&format!("{number} runs"));
            }
            let seed = arguments.seed + number;
            let plan = plan::of_seed(seed);
            if arguments.runs == 1 {
                terminal::say(&format!("{plan:#?}"));
            }
            let run = AssertUnwindSafe(Play::run(&stage, &plan));
            if let Ok(played) = Box::pin(run.catch_unwind()).await {
                tally.add(seed, played);
            } else {
                tally.add_broken(seed, "it panicked, see above");
                stage = Stage::build(Flavour::Sqlite).await;
            }
        }
    })
}
