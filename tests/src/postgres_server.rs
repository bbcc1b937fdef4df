//! A private PostgreSQL cluster that may be stopped and started while others are connected: initialised in a temporary folder, on a
//! free port, gone when dropped. It survives the death of its processes, not that of the machine (`fsync` is off).

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start, after a crash too.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a starting server is looked at.
const BEAT: Duration = Duration::from_millis(20);
/// How many ports are tried: another process may take one between the choice and the start.
const PORTS_TRIED: usize = 5;
/// Debian and Ubuntu keep the programs out of `PATH`, one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Who may own a server when the tests run as root, the most fitting first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// A running server, or the place where one ran: port and data stay the same over a restart.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    account: Option<(u32, u32)>,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Initialises a cluster and starts its server.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let mut server = Self {
            programs: programs(),
            account: account(),
            folder: tempfile::Builder::new()
                .permissions(fs::Permissions::from_mode(0o755))
                .tempdir()
                .expect("a temporary folder for PostgreSQL"),
            port: 0,
            process: None,
        };
        server.initialise();
        for _ in 0..PORTS_TRIED {
            server.port = super::redis_server::free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("PostgreSQL did not start; its log:\n{}", server.log_text());
    }

    /// The URL of its database `postgres` for its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as `pg_ctl stop -m immediate` does: no connection is told, nothing is written to the data files.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let id = process.id().to_string();
        let sent = Command::new("kill").args(["-QUIT", &id]).status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "PostgreSQL gets no SIGQUIT"
        );
        process.wait().expect("PostgreSQL ends");
    }

    /// Kills it if it runs and starts it anew on the same data; it recovers first.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        assert!(
            self.launch(),
            "PostgreSQL did not start again; its log:\n{}",
            self.log_text()
        );
    }

    fn initialise(&self) {
        let cluster = self.cluster();
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&cluster)
            .expect("a folder for PostgreSQL");
        if let Some((user, group)) = self.account {
            chown(&cluster, Some(user), Some(group)).expect("root may give a folder away");
        }
        let made = self
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(self.data())
            .status()
            .expect("initdb starts");
        assert!(made.success(), "initdb failed:\n{}", self.log_text());
    }

    /// False when it ended before it was ready, as it does when the port is taken.
    fn launch(&mut self) -> bool {
        let mut process = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.cluster())
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1"])
            .args(["-c", "max_connections=200", "-c", "fsync=off"])
            .args(["-c", "full_page_writes=off", "-c", "log_min_messages=fatal"])
            .spawn()
            .expect("postgres starts");
        let began = Instant::now();
        let ready = loop {
            if process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            if self.says_ready(process.id()) || began.elapsed() > PATIENCE {
                break self.says_ready(process.id());
            }
            std::thread::sleep(BEAT);
        };
        self.process = Some(process);
        if !ready {
            self.kill();
        }
        ready
    }

    /// The first line of `postmaster.pid` is the process, which may be one that has crashed; the eighth its own word.
    fn says_ready(&self, process: u32) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(&process.to_string()) && lines.nth(6) == Some("ready")
    }

    fn command(&self, program: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.expect("a log for PostgreSQL");
        let mut command = Command::new(self.programs.join(program));
        command
            .current_dir(self.cluster())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log);
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    fn data(&self) -> PathBuf {
        self.cluster().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder of `initdb` and `postgres`: the one that `cargo xtask` names, else one in `PATH`, else Debian's newest.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("TICKETBRIDGE_POSTGRES_PROGRAMS") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .map(|entries| entries.flatten().map(|it| it.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| is_there(folder))
        .expect("PostgreSQL is installed (apt-get install postgresql)")
}

fn is_there(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// PostgreSQL refuses to run as root, so root lends it another account: user and group.
fn account() -> Option<(u32, u32)> {
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let found = ACCOUNTS
        .iter()
        .find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)));
    Some(found.expect("there is a user postgres or nobody"))
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
