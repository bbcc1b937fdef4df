//! A PostgreSQL of our own: a fresh cluster in the folder of the run, on a free port. It never meets a server that runs already.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::account::{self, Account};
use super::watchdog::Watchdog;
use crate::failure::{During, Failure};
use crate::terminal;

/// Between choosing a free port and using it, somebody else may take it.
const PORT_ATTEMPTS: u32 = 5;
const POLL: Duration = Duration::from_millis(50);
const POLLS: u32 = 1200;

/// Whether a commit is on the disk before it is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As the server comes: `fsync` and `synchronous_commit` are on.
    Default,
    /// Not at all, because the cluster is thrown away.
    None,
}

/// Starts the server and returns the URL of its database `postgres` for its superuser.
pub(crate) fn start(
    watchdog: &mut Watchdog,
    programs: &Path,
    durability: Durability,
) -> Result<String, Failure> {
    let cluster = Cluster::create(watchdog, programs)?;
    for _ in 0..PORT_ATTEMPTS {
        let port = free_port()?;
        let mut server = cluster.launch(watchdog, port, durability)?;
        if cluster.becomes_ready(&mut server)? {
            terminal::say(&format!("PostgreSQL runs on port {port}"));
            return Ok(format!("postgres://postgres@127.0.0.1:{port}/postgres"));
        }
        watchdog.wait(&mut server)?;
        if !cluster.log_text().contains("in use") {
            break;
        }
    }
    Err(cluster.failure("PostgreSQL did not start"))
}

struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    account: Option<Account>,
}

impl Cluster {
    fn create(watchdog: &mut Watchdog, programs: &Path) -> Result<Self, Failure> {
        let cluster = Self {
            programs: programs.to_path_buf(),
            folder: watchdog.folder().join("postgres"),
            account: account::for_server()?,
        };
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&cluster.folder)
            .during("making the folder for PostgreSQL")?;
        if let Some(account) = cluster.account {
            chown(&cluster.folder, Some(account.user), Some(account.group))
                .during("giving the folder to the owner of PostgreSQL")?;
        }
        let mut command = cluster.command(watchdog, "initdb")?;
        command
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(cluster.data());
        let mut child = watchdog.spawn(&mut command)?;
        if watchdog.wait(&mut child)?.success() {
            return Ok(cluster);
        }
        Err(cluster.failure("initdb failed"))
    }

    fn launch(
        &self,
        watchdog: &mut Watchdog,
        port: u16,
        durability: Durability,
    ) -> Result<Child, Failure> {
        let mut command = self.command(watchdog, "postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.folder)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1"])
            .args(["-c", "max_connections=300"])
            .args(["-c", "log_min_messages=warning"]);
        if durability == Durability::None {
            command
                .args(["-c", "fsync=off"])
                .args(["-c", "full_page_writes=off"]);
        }
        watchdog.spawn(&mut command)
    }

    /// True when connections are taken, false when the server gave up.
    fn becomes_ready(&self, server: &mut Child) -> Result<bool, Failure> {
        for _ in 0..POLLS {
            if server.try_wait().during("looking at PostgreSQL")?.is_some() {
                return Ok(false);
            }
            let status = fs::read_to_string(self.data().join("postmaster.pid"));
            if status.is_ok_and(|text| says_ready(&text)) {
                return Ok(true);
            }
            thread::sleep(POLL);
        }
        Err(self.failure("PostgreSQL took longer than a minute to start"))
    }

    fn command(&self, watchdog: &Watchdog, program: &str) -> Result<Command, Failure> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .during("opening the log of PostgreSQL")?;
        let mut command = watchdog.command(self.programs.join(program));
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().during("opening the log of PostgreSQL")?)
            .stderr(log);
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        Ok(command)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn failure(&self, what: &str) -> Failure {
        Failure::broken(format!("{what}; its log:\n{}", self.log_text()))
    }
}

/// The eighth line of `postmaster.pid` is the server's own word; `pg_ctl` waits for it as well.
fn says_ready(pid_file: &str) -> bool {
    pid_file.lines().nth(7).map(str::trim) == Some("ready")
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).during("looking for a free port")?;
    Ok(listener
        .local_addr()
        .during("looking for a free port")?
        .port())
}

#[cfg(test)]
mod tests {
    use super::says_ready;

    #[test]
    fn the_server_is_ready_when_the_eighth_line_says_so() {
        let head = "4711\n/data\n1700000000\n5433\n/socket\n127.0.0.1\n  5433001    32768\n";
        assert!(says_ready(&format!("{head}ready   \n")));
        assert!(!says_ready(&format!("{head}starting\n")));
        assert!(!says_ready(head));
    }
}
