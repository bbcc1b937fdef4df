//! Runs the test runner with the servers in its environment, passes on what it prints, and
//! listens for its summary.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::programs;
use super::selection::Selection;
use super::surroundings::Surroundings;
use super::tally::{Runner, Tally};
use super::watchdog::Watchdog;
use crate::environment;
use crate::failure::{self, Failure};
use crate::terminal;

/// Longer than the watchdog takes to stop what a test left running.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// How the suite ended. There is no tally when the runner never got to its summary.
pub(crate) struct SuiteResult {
    pub(crate) code: u8,
    pub(crate) tally: Option<Tally>,
}

/// Runs the chosen tests, and the documentation tests when everything was chosen.
pub(crate) fn run(
    watchdog: &mut Watchdog,
    selection: &Selection,
    surroundings: &Surroundings,
) -> Result<SuiteResult, Failure> {
    let mut suite = Suite {
        watchdog,
        surroundings,
    };
    if programs::find("cargo-nextest").is_none() {
        terminal::say("cargo-nextest is not installed, so `cargo test` runs the suite, slower");
        return suite.part(Runner::CargoTest, &["test"], &selection.for_cargo_test());
    }
    let tests = suite.part(
        Runner::Nextest,
        &["nextest", "run"],
        &selection.for_nextest(),
    )?;
    if !selection.is_everything() {
        return Ok(tests);
    }
    let documentation = suite.part(Runner::CargoTest, &["test", "--doc"], &["--workspace"])?;
    Ok(tests.and(&documentation))
}

struct Suite<'a> {
    watchdog: &'a mut Watchdog,
    surroundings: &'a Surroundings,
}

impl Suite<'_> {
    fn part(
        &mut self,
        runner: Runner,
        command: &[&str],
        arguments: &[&str],
    ) -> Result<SuiteResult, Failure> {
        let line = [command, arguments].concat();
        terminal::say(&format!("cargo {}", line.join(" ")));
        let mut child = self.watchdog.spawn(&mut self.command(&line))?;
        let lines = pass_on(&mut child);
        let status = self.watchdog.wait(&mut child)?;
        Ok(SuiteResult {
            code: failure::exit_code(status),
            tally: runner.tally(&drain(&lines)),
        })
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = self.watchdog.command(environment::cargo_program());
        environment::at_root(&mut command);
        self.surroundings.tell(&mut command);
        command
            .args(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if io::stderr().is_terminal() && !environment::colour_is_decided() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        command
    }
}

impl SuiteResult {
    fn and(&self, other: &Self) -> Self {
        Self {
            code: if self.code == 0 {
                other.code
            } else {
                self.code
            },
            tally: self
                .tally
                .map(|tally| tally + other.tally.unwrap_or_default()),
        }
    }
}

/// Passes both streams of the child on to ours, line by line. The receiver gets the same lines.
fn pass_on(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let also = sender.clone();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || copy(output, &mut io::stdout(), &sender));
    thread::spawn(move || copy(errors, &mut io::stderr(), &also));
    lines
}

/// Ends with the stream, or as soon as there is nobody left to write for.
fn copy(from: Option<impl Read>, to: &mut impl Write, lines: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(from?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).ok()? > 0 {
        to.write_all(&line).and_then(|()| to.flush()).ok()?;
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        lines.send(text).ok()?;
        line.clear();
    }
    Some(())
}

/// All lines. The runner has ended, but what a test left running may hold the streams open until
/// the watchdog has stopped it, and for ever when it has escaped from the watchdog as well.
fn drain(lines: &Receiver<String>) -> Vec<String> {
    let mut drained = Vec::new();
    while let Ok(line) = lines.recv_timeout(LONGEST_SILENCE) {
        drained.push(line);
    }
    drained
}
