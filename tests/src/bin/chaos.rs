//! `cargo xtask chaos` builds and starts this with everything it needs in its environment. Exit codes: 0 every promise was kept,
//! 1 one was broken or the run failed, 2 wrong usage.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::chaos::{Verdict, points, processes, recovery, soak};
use tests::terminal;

/// Breaks the bridge on purpose and counts what is lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask chaos --mode")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

/// What is broken.
#[derive(Debug, Subcommand)]
enum Mode {
    /// Processes die at named points, in process.
    Points(points::Arguments),
    /// Real processes under a seeded script of kills, freezes, restarts and cut lines.
    Processes(processes::Arguments),
    /// Kills workers, and measures how long it takes until their jobs begin anew.
    Recovery(recovery::Arguments),
    /// Much work, and what it leaves behind.
    Soak(soak::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    terminal::speak_as("chaos");
    let verdict = match Arguments::try_parse() {
        Ok(arguments) => run(arguments.mode).await,
        Err(wrong) => wrong.exit(),
    };
    match verdict {
        Ok(verdict) => {
            terminal::print(&verdict.table);
            ExitCode::from(u8::from(!verdict.holds))
        }
        Err(error) => {
            terminal::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(mode: Mode) -> anyhow::Result<Verdict> {
    match mode {
        Mode::Points(arguments) => points::run(&arguments),
        Mode::Processes(arguments) => processes::run(&arguments).await,
        Mode::Recovery(arguments) => recovery::run(&arguments).await,
        Mode::Soak(arguments) => soak::run(&arguments).await,
    }
}
