//! `cargo xtask test`: the whole suite against real servers, on a machine that has none running.

mod account;
mod binary;
mod needs;
mod packages;
mod postgres;
mod programs;
mod selection;
mod suite;
mod tally;
mod watchdog;

use crate::failure::Failure;
use crate::terminal;
use selection::Selection;
use watchdog::Watchdog;

/// Runs the suite; the arguments go to the test runner. Returns the exit code of the runner.
pub(crate) fn run(arguments: &[String]) -> Result<u8, Failure> {
    let programs = needs::satisfy()?;
    let selection = Selection::of(arguments);
    let mut watchdog = Watchdog::start()?;

    let binary = binary::build(&mut watchdog, &selection)?;
    let postgres_url = postgres::start(&mut watchdog, &programs.postgres_folder)?;
    let surroundings = suite::Surroundings {
        binary,
        postgres_url,
        redis_server: programs.redis_server,
    };
    let result = suite::run(&mut watchdog, &selection, &surroundings)?;
    watchdog.finish()?;

    match result.tally {
        Some(tally) => terminal::print(&tally.to_string()),
        None => terminal::complain("the runner printed no summary, so there is nothing to count"),
    }
    Ok(result.code)
}
