//! `cargo xtask bench` builds and starts this with everything it needs in its environment. Exit codes: 0 measured, 1 the run failed,
//! 2 wrong usage.

use std::process::ExitCode;

use clap::Parser as _;
use tests::bench::{self, Arguments};
use tests::terminal;

#[tokio::main]
async fn main() -> ExitCode {
    terminal::speak_as("bench");
    let table = match Arguments::try_parse() {
        Ok(arguments) => bench::run(&arguments).await,
        Err(wrong) => wrong.exit(),
    };
    match table {
        Ok(table) => {
            terminal::print(&table);
            ExitCode::SUCCESS
        }
        Err(error) => {
            terminal::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
