//! `cargo xtask test`: the whole suite against real servers, on a machine that has none running.

mod account;
pub(crate) mod binary;
pub(crate) mod harness;
pub(crate) mod needs;
mod packages;
pub(crate) mod postgres;
mod programs;
mod selection;
mod suite;
pub(crate) mod surroundings;
mod tally;
pub(crate) mod watchdog;

use crate::failure::Failure;
use crate::terminal;
use postgres::Durability;
use selection::Selection;
use watchdog::Watchdog;

/// Runs the suite; the arguments go to the test runner. Returns the exit code of the runner.
pub(crate) fn run(arguments: &[String]) -> Result<u8, Failure> {
    let programs = needs::satisfy()?;
    let selection = Selection::of(arguments);
    let mut watchdog = Watchdog::start()?;

    let surroundings = harness::surroundings(
        &mut watchdog,
        programs,
        selection.for_build(),
        Durability::None,
    )?;
    let result = suite::run(&mut watchdog, &selection, &surroundings)?;
    watchdog.finish()?;

    match result.tally {
        Some(tally) => terminal::print(&tally.to_string()),
        None => terminal::complain("the runner printed no summary, so there is nothing to count"),
    }
    Ok(result.code)
}
