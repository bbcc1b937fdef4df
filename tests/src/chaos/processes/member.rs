//! One process of the bridge, the lines by which it reaches the others, and what it printed before it was ended.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::binary::{Ended, Home, Running};
use crate::proxy::Proxy;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Scheduler,
    Worker,
}

/// The lines of a process; each can be cut.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) database: Proxy,
    pub(super) redis: Proxy,
    pub(super) servicenow: Proxy,
}

/// A process that is started again whenever it has ended.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) lines: Lines,
    /// Where a scheduler answers.
    pub(super) url: String,
    home: Home,
    log: PathBuf,
    /// `None` while somebody ends it or starts it.
    running: Mutex<Option<Running>>,
}

impl Role {
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Worker => "worker",
        }
    }
}

impl Member {
    pub(super) fn new(
        name: &str,
        role: Role,
        lines: Lines,
        listen: &str,
        toml: &str,
        logs: &Path,
    ) -> Self {
        Self {
            name: name.to_owned(),
            role,
            lines,
            url: format!("http://{listen}"),
            home: Home::with(toml),
            log: logs.join(format!("{name}.log")),
            running: Mutex::new(None),
        }
    }

    /// Starts it, unless it runs.
    pub(super) fn start(&self) {
        let mut running = self.hold();
        if running.is_none() {
            *running = Some(self.home.start(self.role.command()));
        }
    }

    /// Sends a signal, if it runs.
    pub(super) fn signal(&self, name: &str) {
        if let Some(running) = self.hold().as_ref().filter(|it| it.is_running()) {
            running.signal(name);
        }
    }

    /// Its process id, if it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.hold().as_ref().map(Running::id)
    }

    /// Ends it as a power cut does, and starts it anew.
    pub(super) fn kill(&self) {
        self.signal("KILL");
        self.replace();
    }

    /// Asks it to stop, waits for its end, and starts it anew. Gives its exit code.
    pub(super) fn roll(&self) -> Option<i32> {
        self.signal("TERM");
        self.replace()
    }

    /// If it has ended by itself, starts it anew and says with which code it ended.
    pub(super) fn revive(&self) -> Option<String> {
        let ended = self.hold().as_ref().is_some_and(|it| !it.is_running());
        ended.then(|| match self.replace() {
            Some(code) => format!("code {code}"),
            None => "a signal".to_owned(),
        })
    }

    /// Everything that its processes printed in a line with this text.
    pub(super) fn lines_about(&self, text: &str) -> Vec<String> {
        let mut all = std::fs::read_to_string(&self.log).unwrap_or_default();
        if let Some(running) = self.hold().as_ref() {
            all += &running.printed();
        }
        let about = all.lines().filter(|line| line.contains(text));
        about.map(str::to_owned).collect()
    }

    fn replace(&self) -> Option<i32> {
        let running = self.hold().take();
        let code = running.and_then(|running| self.keep(&running.end()));
        self.start();
        code
    }

    /// Keeps what it printed; a log that cannot be written is no reason to end the run.
    fn keep(&self, ended: &Ended) -> Option<i32> {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log);
        if let Ok(mut file) = file {
            write!(file, "{}{}", ended.stdout, ended.stderr).ok();
        }
        ended.code
    }

    fn hold(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
