//! A private Redis server for one test: started on a free port, without persistence, killed when dropped.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tempfile::TempDir;

/// How long a server may take to start, and to answer one command.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many ports are tried: another process may take one between the choice and the start.
const PORTS_TRIED: usize = 5;

/// What a server, and a Sentinel, logs when it accepts connections.
const READY: [&str; 2] = ["Ready to accept connections", "Sentinel ID is"];

/// A running `redis-server`, or the place where one ran: the port stays the same over a restart.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more options of the command line, such as `["--requirepass", "fictional"]`.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    pub fn start_with(options: &[&str]) -> Self {
        Self::first_that_starts(|| Self::down_with(options))
    }

    /// Starts a Sentinel with more lines for its configuration, such as `sentinel monitor …`.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    pub fn start_sentinel(lines: &str) -> Self {
        Self::first_that_starts(|| {
            let mut server = Self::at_free_port();
            let conf = server.folder.path().join("sentinel.conf");
            let text = format!("port {}\nbind 127.0.0.1\n{lines}", server.port);
            std::fs::write(&conf, text).expect("a configuration for Sentinel");
            server.arguments = vec![conf.display().to_string(), "--sentinel".into()];
            server
        })
    }

    /// A place where no server runs yet; [`RedisServer::restart`] starts it.
    ///
    /// # Panics
    /// When there is no free port or temporary folder.
    pub fn down() -> Self {
        Self::down_with(&[])
    }

    fn down_with(options: &[&str]) -> Self {
        let mut server = Self::at_free_port();
        let port = server.port.to_string();
        let quiet = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let arguments = quiet.iter().chain(options);
        server.arguments = arguments.map(ToString::to_string).collect();
        server
    }

    fn at_free_port() -> Self {
        Self {
            port: free_port(),
            arguments: Vec::new(),
            folder: tempfile::tempdir().expect("a temporary folder for redis-server"),
            process: None,
        }
    }

    fn first_that_starts(candidate: impl Fn() -> Self) -> Self {
        for _ in 0..PORTS_TRIED {
            let mut server = candidate();
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server did not start on any of {PORTS_TRIED} ports");
    }

    /// `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port, for Sentinel and replicas.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Kills the server with SIGKILL; what it held is gone, unless it was started with `--appendonly yes`.
    ///
    /// # Panics
    /// When the process cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("redis-server can be killed");
            process.wait().expect("redis-server ends");
        }
    }

    /// Kills the server if it runs and starts one on the same port, empty unless it persists.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        assert!(
            self.launch(),
            "redis-server did not start on port {}",
            self.port
        );
    }

    /// Forgets what a server that persists (`--appendonly yes`) has kept; it must have been killed.
    ///
    /// # Panics
    /// When the files cannot be removed.
    pub fn forget(&self) {
        let kept = self.folder.path().join("appendonlydir");
        if kept.exists() {
            std::fs::remove_dir_all(kept).expect("files of a temporary folder can be removed");
        }
    }

    /// Makes the server answer nobody for `time` (`CLIENT PAUSE … ALL`).
    ///
    /// # Panics
    /// When it refuses.
    pub fn pause(&self, time: Duration) {
        let answer = self.send(&format!("CLIENT PAUSE {} ALL", time.as_millis()));
        assert_eq!(answer, "+OK");
    }

    /// How many clients wait in a blocking command such as `BLMPOP`.
    ///
    /// # Panics
    /// When the server does not say.
    pub fn waiting_clients(&self) -> usize {
        let info = self.send("INFO clients");
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("blocked_clients:"));
        line.and_then(|count| count.parse().ok())
            .expect("blocked_clients in INFO")
    }

    /// Sends one command in the inline form, past all client libraries. Returns a text as it is and anything else as the first
    /// line of the answer in the protocol's own form, such as `+OK`, `:3` or `*2`.
    ///
    /// # Panics
    /// When the server cannot be reached or does not answer.
    pub fn send(&self, command: &str) -> String {
        self.try_send(command).expect("redis-server answers")
    }

    /// The same where the server may close the connection at any moment, as it does during a fail-over.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer.
    pub fn try_send(&self, command: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{command}\r\n")?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_owned();
        let Some(length) = line.strip_prefix('$').and_then(|n| n.parse().ok()) else {
            return Ok(line);
        };
        let mut text = String::new();
        reader.take(length).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Starts the process; false when it ended before it was ready, as it does when the port is taken.
    fn launch(&mut self) -> bool {
        // `cargo xtask test` names the binary that it has checked.
        let binary = std::env::var_os("TICKETBRIDGE_REDIS_SERVER");
        let binary = binary.unwrap_or_else(|| "redis-server".into());
        let mut process = Command::new(binary)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (apt-get install redis-server)");
        let log = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let (ready, is_ready) = mpsc::channel();
        // Reads to the end, so that the server never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if READY.iter().any(|ready| line.contains(ready)) {
                    ready.send(()).ok();
                }
            }
        });
        let started = is_ready.recv_timeout(PATIENCE).is_ok();
        self.process = Some(process);
        if !started {
            self.kill();
        }
        started
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
