//! The real `ticketbridge` as a process of its own: started with a configuration and an environment that hold nothing of
//! this machine, its output drained and kept, killed when dropped.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a process may take to do what is waited for. Longer than the bridge itself waits on purpose: where a machine stood still
/// between the mark of a send and the send, nothing is sent again for `quiet_seconds`.
pub const PATIENCE: Duration = Duration::from_secs(200);

/// What a process inherits of the environment: enough to find programs and a temporary folder.
const INHERITED: [&str; 3] = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"];

/// A folder of its own in which the program is called.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    /// An empty folder. Any user may enter it, for those processes that run as another one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder can be made");
        Self {
            folder,
            environment: Vec::new(),
        }
    }

    /// A folder with this `ticketbridge.toml`, which every process in it reads.
    pub fn with(toml: &str) -> Self {
        let home = Self::new();
        home.write("ticketbridge.toml", toml);
        home
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file in a temporary folder can be written");
        path
    }

    /// Sets a variable for all processes from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command to its end. `line` is split at spaces.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn run(&self, line: &str) -> Ended {
        self.start(line).end()
    }

    /// The same, where an argument has spaces.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn run_with(&self, arguments: &[&str]) -> Ended {
        self.start_with(&[], arguments).end()
    }

    /// The same as the user with this number, whom the permission bits of files bind also where the tests run as root.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn run_as(&self, user: u32, line: &str) -> Ended {
        let user = format!("--reuid={user}");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.start_with(&["setpriv", &user, "--clear-groups"], &arguments)
            .end()
    }

    /// Starts a command. `line` is split at spaces.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(&self, line: &str) -> Running {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.start_with(&[], &arguments)
    }

    /// The same for a process that may open no more than so many files.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start_limited(&self, open_files: u32, line: &str) -> Running {
        let limited = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.start_with(&["sh", "-c", &limited], &arguments)
    }

    fn start_with(&self, before: &[&str], arguments: &[&str]) -> Running {
        let program = program();
        let mut words = before
            .iter()
            .map(Into::into)
            .chain([program.into_os_string()]);
        let mut command = Command::new(words.next().expect("there is the program itself"));
        command.args(words).args(arguments).env_clear();
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command.current_dir(self.path());
        Running::spawn(command, arguments.join(" "))
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// A process that was started. Killed when dropped; what it printed is shown when the test has failed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    output: Arc<Output>,
    status: Option<ExitStatus>,
}

/// What a process printed and how it ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Exit code; `None` when a signal has ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

#[derive(Debug, Default)]
struct Output {
    printed: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    stdout: String,
    stderr: String,
    closed: usize,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Error,
}

impl Running {
    fn spawn(mut command: Command, name: String) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = Arc::new(Output::default());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (of_out, of_error) = (Arc::clone(&output), Arc::clone(&output));
        std::thread::spawn(move || of_out.drain(Stream::Out, stdout));
        std::thread::spawn(move || of_error.drain(Stream::Error, stderr));
        Self {
            name,
            child,
            output,
            status: None,
        }
    }

    /// The first value that `look` finds in what was printed; standard output comes first in it. Waits for it, and holds up
    /// the thread meanwhile.
    ///
    /// # Panics
    /// When the process ends without it, or it takes too long.
    pub fn wait_for<T>(&self, what: &str, look: impl Fn(&str, &str) -> Option<T>) -> T {
        let find = |printed: &Printed| look(&printed.stdout, &printed.stderr);
        let printed = self
            .output
            .wait(|printed| find(printed).is_some() || printed.is_over());
        find(&printed).unwrap_or_else(|| {
            let ended = printed.is_over();
            drop(printed);
            panic!(
                "`{}` {} without {what}",
                self.name,
                if ended { "ended" } else { "ran" }
            )
        })
    }

    /// Waits for a line of its log (JSON on standard output or error) with this message, and gives it.
    ///
    /// # Panics
    /// When the process ends without it, or it takes too long.
    pub fn logged(&self, message: &str) -> Value {
        self.wait_for(&format!("the line `{message}`"), |stdout, stderr| {
            let mut lines = stdout.lines().chain(stderr.lines());
            lines.find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                line.to_string().contains(message).then_some(line)
            })
        })
    }

    /// Everything printed so far.
    pub fn printed(&self) -> String {
        let printed = self.output.hold();
        format!("{}{}", printed.stdout, printed.stderr)
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        !self.output.hold().is_over()
    }

    /// What it holds of the machine's memory now, in KiB.
    ///
    /// # Panics
    /// When `ps` does not know it.
    pub fn memory_kib(&self) -> u64 {
        let text = self.asked_of_ps("rss=");
        text.parse().expect("ps prints KiB")
    }

    /// Time of processors it has used so far, in whole seconds.
    ///
    /// # Panics
    /// When `ps` does not know it.
    pub fn cpu_time(&self) -> Duration {
        let text = self.asked_of_ps("cputimes=");
        Duration::from_secs(text.parse().expect("ps prints seconds"))
    }

    fn asked_of_ps(&self, column: &str) -> String {
        let id = self.child.id().to_string();
        let output = Command::new("ps").args(["-o", column, "-p", &id]).output();
        let output = output.expect("`ps` is installed").stdout;
        String::from_utf8_lossy(&output).trim().to_owned()
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "`{}` gets no SIG{name}",
            self.name
        );
    }

    /// Asks it to stop and waits for the end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.end()
    }

    /// Ends it as a power cut does.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(self) {
        self.signal("KILL");
        assert_eq!(self.end().code, None, "a signal has ended it");
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn end(mut self) -> Ended {
        let printed = self.output.wait(Printed::is_over);
        assert!(printed.is_over(), "`{}` does not end", self.name);
        let (stdout, stderr) = (printed.stdout.clone(), printed.stderr.clone());
        drop(printed);
        let status = self.child.wait().expect("a child can be waited for");
        self.status = Some(status);
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            // It may have ended meanwhile, which is as good.
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            let text = self.printed();
            report(&format!("----- {} -----\n{text}", self.name));
        }
    }
}

impl Ended {
    /// The same, which must have ended with this code.
    ///
    /// # Panics
    /// When it did not.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "it asserts; what it gives back is only for further questions"
    )]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self
            .code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        write!(
            f,
            "exit code {code}\n--- standard output\n{}--- standard error\n{}",
            self.stdout, self.stderr
        )
    }
}

impl Output {
    fn hold(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().expect("no holder of the lock panics")
    }

    /// What was printed once `enough` is true, or after [`PATIENCE`].
    fn wait(&self, enough: impl Fn(&Printed) -> bool) -> MutexGuard<'_, Printed> {
        self.changed
            .wait_timeout_while(self.hold(), PATIENCE, |printed| !enough(printed))
            .expect("no holder of the lock panics")
            .0
    }

    /// Reads to the end, so that the process never blocks on a full pipe.
    fn drain(&self, stream: Stream, from: Option<impl Read>) {
        if let Some(from) = from {
            let mut reader = BufReader::new(from);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line);
                let mut printed = self.hold();
                match stream {
                    Stream::Out => printed.stdout += &text,
                    Stream::Error => printed.stderr += &text,
                }
                drop(printed);
                line.clear();
                self.changed.notify_all();
            }
        }
        self.hold().closed += 1;
        self.changed.notify_all();
    }
}

impl Printed {
    /// Both streams end when the process does: it has no children.
    fn is_over(&self) -> bool {
        self.closed == 2
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the test runner shows it with the failed test"
)]
fn report(text: &str) {
    eprintln!("{text}");
}

/// Where the program is: the path that `cargo xtask test` names, else the one beside the tests.
///
/// # Panics
/// When it is at neither place.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("TICKETBRIDGE_BIN") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "TICKETBRIDGE_BIN names {}, which is not there",
            path.display()
        );
        return path;
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/<profile>/deps/<test>
    let beside = test
        .parent()
        .and_then(Path::parent)
        .map(|folder| folder.join("ticketbridge"));
    beside
        .filter(|path| path.is_file())
        .expect("`ticketbridge` is not built: run `cargo xtask test`, which builds it and starts what the tests need")
}
