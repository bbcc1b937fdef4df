//! `cargo xtask chaos`: builds the bridge and the program `chaos` of the harness, and lets that one break the bridge.

use crate::failure::Failure;
use crate::test::postgres::Durability;
use crate::test::watchdog::Watchdog;
use crate::test::{binary, harness, needs};

/// The mode that starts no processes and wants no servers.
const IN_PROCESS: &str = "points";

/// Runs one mode; all arguments but the mode's name are its own. Returns the exit code of the harness.
pub(crate) fn run(arguments: &[String]) -> Result<u8, Failure> {
    let line = with_mode_first(arguments)?;
    let programs = needs::satisfy()?;
    let mut watchdog = Watchdog::start()?;
    let in_process = line.first().is_some_and(|mode| mode == IN_PROCESS);
    let surroundings = if in_process {
        None
    } else {
        let bridge = ["--package", "ticketbridge"];
        let none = Durability::None;
        Some(harness::surroundings(
            &mut watchdog,
            programs,
            &bridge,
            none,
        )?)
    };
    let chaos = ["--package", "tests", "--bin", "chaos"];
    let chaos = binary::build(&mut watchdog, "chaos", &chaos)?;
    harness::run(watchdog, &chaos, surroundings.as_ref(), &line)
}

/// The harness takes the mode as its subcommand, so that each mode has options of its own.
fn with_mode_first(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut mode = None;
    let mut rest = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--mode" {
            mode = words.next().cloned();
        } else if let Some(name) = word.strip_prefix("--mode=") {
            mode = Some(name.to_owned());
        } else {
            rest.push(word.clone());
        }
    }
    let mode = mode.ok_or_else(|| Failure::usage("chaos wants `--mode NAME`"))?;
    Ok([vec![mode], rest].concat())
}

#[cfg(test)]
mod tests {
    use super::with_mode_first;

    fn ordered(line: &str) -> Option<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        with_mode_first(&words).ok().map(|words| words.join(" "))
    }

    #[test]
    fn the_mode_may_stand_anywhere_but_must_be_there() {
        let wanted = Some("points --runs 5".to_owned());
        assert_eq!(ordered("--mode points --runs 5"), wanted);
        assert_eq!(ordered("--runs 5 --mode=points"), wanted);
        assert_eq!(ordered("--runs 5"), None);
        assert_eq!(ordered("--runs 5 --mode"), None);
    }
}
