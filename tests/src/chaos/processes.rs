//! `--mode processes`: two schedulers and three workers, real processes, under a steady flow of requests, while a seeded script kills,
//! freezes and cuts off whatever they stand on. Then the faults stop, and everything is compared, request by request.
//!
//! The seed fixes the script and the requests, not how the processes interleave: two runs with one seed meet the same faults at about
//! the same moments.

use std::time::Duration;

use clap::Args;

use super::Verdict;
use crate::terminal;

mod agent;
mod comparison;
mod evidence;
mod faults;
mod freeze;
mod fulfilment;
mod installation;
mod member;
mod plan;
mod quiet;
mod report;
mod script;
mod settings;
mod traffic;
mod weather;

use installation::Installation;

/// What may be chosen.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// How long faults strike.
    #[arg(long, default_value_t = 5)]
    pub minutes: u64,
    /// Fixes the script of faults and the requests.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Requests taken in each minute.
    #[arg(long, default_value_t = 60)]
    pub rate: u32,
    /// How long the bridge may take to come to rest once the faults have stopped.
    #[arg(long, default_value_t = 15)]
    pub patience_minutes: u64,
}

/// Runs it.
///
/// # Errors
/// When the installation cannot be set up or the database cannot be read at the end.
pub async fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let length = Duration::from_secs(arguments.minutes * 60);
    let script = script::write(arguments.seed, length);
    terminal::say(&format!(
        "seed {}: {} faults in {} min, {} requests a minute",
        arguments.seed,
        script.len(),
        arguments.minutes,
        arguments.rate
    ));
    let it = Installation::start(arguments.seed).await?;
    let keeper = it.keep_running();
    let flow = traffic::start(&it, arguments.seed, arguments.rate);
    let work = fulfilment::start(&it);

    weather::begin(&it);
    let log = faults::play(&it, &script, length).await;
    weather::clear(&it);
    it.heal();
    terminal::say("the faults have stopped");

    let patience = Duration::from_secs(arguments.patience_minutes * 60);
    let sent = flow.end(patience).await;
    let rest = quiet::wait(&it, patience).await;
    work.end().await;
    let found = comparison::compare(&it, &sent).await?;
    keeper.end().await;
    let verdict = report::verdict(arguments, &it, &log, &rest, &found).await?;
    evidence::show_flags(&found);
    if !verdict.holds {
        evidence::show(&it, &log, &found).await?;
    }
    Ok(verdict)
}
