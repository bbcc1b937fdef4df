//! How long it takes until the jobs of a killed worker begin anew: real processes with the settings that the program comes with.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use super::Verdict;
use crate::terminal;

mod figures;
mod installation;
mod orphans;

use figures::Figures;
use installation::Installation;
use orphans::Orphans;

/// Workers that run at any time.
const WORKERS: usize = 3;
/// Between two kills, in milliseconds: longer than a job, mostly shorter than a recovery.
const BETWEEN: std::ops::Range<u64> = 3_000..7_000;

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Workers that are killed.
    #[arg(long, default_value_t = 50)]
    pub kills: u32,
    /// Decides whom and when.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The longest that 95 % of the jobs may take until they begin anew, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub bound_seconds: f64,
}

/// Kills workers under a steady flow of requests, and measures for each job in hand how long it took until another had it.
pub async fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let mut dice = StdRng::seed_from_u64(arguments.seed);
    let installation = Installation::start(WORKERS).await?;
    let flow = installation.flow();
    installation.warm_up().await?;
    let orphans = Orphans::watch(installation.store());
    for number in 1..=arguments.kills {
        sleep(Duration::from_millis(dice.random_range(BETWEEN))).await;
        let victim = dice.random_range(0..WORKERS);
        let held = orphans.of(installation.kill(victim)?).await?;
        if number % 10 == 0 {
            terminal::say(&format!(
                "{number} of {} workers killed, the last with {held} jobs in hand",
                arguments.kills
            ));
        }
    }
    let started = orphans
        .all_started()
        .await
        .context("the jobs of killed workers begin anew")?;
    flow.stop();
    let figures = Figures {
        kills: arguments.kills,
        started,
        outcome: installation.quiet().await?,
    };
    Ok(Verdict {
        table: figures.table(arguments),
        holds: figures.hold(arguments.bound_seconds),
    })
}
