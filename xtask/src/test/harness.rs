//! Starts a program of the harness with everything it needs in its environment.

use std::path::Path;

use super::binary;
use super::needs::Programs;
use super::postgres::{self, Durability};
use super::surroundings::Surroundings;
use super::watchdog::Watchdog;
use crate::environment;
use crate::failure::{self, Failure};
use crate::terminal;

/// The bridge and the servers. It is built before the harness: built together, it would get the features that only tests switch on.
pub(crate) fn surroundings(
    watchdog: &mut Watchdog,
    programs: Programs,
    bridge: &[&str],
    durability: Durability,
) -> Result<Surroundings, Failure> {
    let bridge = binary::build(watchdog, "ticketbridge", bridge)?;
    let postgres_url = postgres::start(watchdog, &programs.postgres_folder, durability)?;
    Surroundings::new(watchdog, bridge, postgres_url, programs)
}

/// Runs `program` to its end; its exit code.
pub(crate) fn run(
    mut watchdog: Watchdog,
    program: &Path,
    surroundings: Option<&Surroundings>,
    arguments: &[String],
) -> Result<u8, Failure> {
    let mut command = watchdog.command(program);
    environment::at_root(&mut command);
    command.env("TMPDIR", watchdog.folder());
    if let Some(surroundings) = surroundings {
        surroundings.tell(&mut command);
    }
    command.args(arguments);
    let name = program.file_name().unwrap_or(program.as_os_str());
    terminal::say(&format!(
        "{} {}",
        name.to_string_lossy(),
        arguments.join(" ")
    ));
    let mut child = watchdog.spawn(&mut command)?;
    let status = watchdog.wait(&mut child)?;
    watchdog.finish()?;
    Ok(failure::exit_code(status))
}
