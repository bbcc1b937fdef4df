//! Nothing that a run started may outlive it. The standard library can neither catch a signal
//! nor tie a child's life to ours, so a small shell script does the tidying (`watchdog.sh` says
//! how): it acts when its pipe from us closes, and that happens however we end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use super::programs;
use crate::failure::{During, Failure};

const SCRIPT: &str = include_str!("watchdog.sh");

/// Starts processes and guarantees their end. Dropping it stops them and removes the folder.
pub(crate) struct Watchdog {
    shell: Child,
    orders: Option<ChildStdin>,
    folder: PathBuf,
    setsid: Option<PathBuf>,
}

impl Watchdog {
    /// Starts the watchdog and lets it make the folder of this run.
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "xtask-watchdog"])
            .arg(std::env::temp_dir())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during("starting sh")?;
        let mut folder = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output)
                .read_line(&mut folder)
                .during("reading from the watchdog")?;
        }
        if folder.trim().is_empty() {
            return Err(Failure::broken(
                "cannot make a folder in the temporary folder",
            ));
        }
        Ok(Self {
            orders: shell.stdin.take(),
            shell,
            folder: PathBuf::from(folder.trim()),
            setsid: programs::find("setsid"),
        })
    }

    /// The folder of this run; it disappears with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that will lead a session of its own, so that all its descendants can be found,
    /// or at least a process group where the `setsid` program is missing.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        if let Some(setsid) = &self.setsid {
            let mut command = Command::new(setsid);
            command.arg(program);
            command
        } else {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        }
    }

    /// Starts a command made by [`Self::command`].
    pub(crate) fn spawn(&mut self, command: &mut Command) -> Result<Child, Failure> {
        let child = command
            .spawn()
            .during(&format!("starting {}", described(command)))?;
        self.order("started", child.id())?;
        Ok(child)
    }

    /// Waits for a child's own end; what it left running is stopped and named.
    pub(crate) fn wait(&mut self, child: &mut Child) -> Result<ExitStatus, Failure> {
        let status = child.wait().during("waiting for a child")?;
        self.order("ended", child.id())?;
        Ok(status)
    }

    /// Stops all that still runs, removes the folder and says when that failed.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.orders = None;
        let status = self.shell.wait().during("waiting for the watchdog")?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::broken(format!(
            "could not tidy up; look at {}",
            self.folder.display()
        )))
    }

    fn order(&mut self, order: &str, pid: u32) -> Result<(), Failure> {
        let Some(orders) = &mut self.orders else {
            return Err(Failure::broken("the watchdog takes no more orders"));
        };
        writeln!(orders, "{order} {pid}").during("writing to the watchdog")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.orders = None;
        // Nobody is left to tell: either `finish` has waited already, or a failure is on its way.
        drop(self.shell.wait());
    }
}

fn described(command: &Command) -> String {
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    format!(
        "{} {}",
        command.get_program().to_string_lossy(),
        words.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Child, Stdio};

    use super::Watchdog;

    /// A shell with a child of its own that no signal but the last one ends; says when both run.
    fn stubborn(watchdog: &mut Watchdog, after: &str) -> (Child, u32) {
        let script =
            format!("trap '' INT; sh -c 'trap \"\" INT; echo $$; exec sleep 600' & {after}");
        let mut command = watchdog.command("sh");
        command.args(["-c", &script]).stdout(Stdio::piped());
        let mut child = watchdog.spawn(&mut command).expect("sh starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("the inner shell says its pid");
        (child, line.trim().parse().expect("a pid"))
    }

    fn runs(pid: u32) -> bool {
        let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
        stat.is_ok_and(|text| !text.contains(") Z "))
    }

    #[test]
    fn finish_ends_a_session_that_ignores_the_interrupt_and_removes_the_folder() {
        let mut watchdog = Watchdog::start().expect("starts");
        let folder = watchdog.folder().to_path_buf();
        fs::write(folder.join("file"), "x").expect("the folder is there");
        let (child, inner) = stubborn(&mut watchdog, "wait");
        assert!(runs(child.id()) && runs(inner));

        watchdog.finish().expect("tidies up");

        assert!(!runs(child.id()), "the leader is gone");
        assert!(!runs(inner), "its child is gone");
        assert!(!folder.exists(), "the folder is gone");
    }

    #[test]
    fn wait_ends_what_a_child_left_behind() {
        let mut watchdog = Watchdog::start().expect("starts");
        let (mut child, inner) = stubborn(&mut watchdog, "exit 3");

        let status = watchdog.wait(&mut child).expect("ends by itself");

        assert_eq!(status.code(), Some(3));
        watchdog.finish().expect("tidies up");
        assert!(!runs(inner));
    }
}
