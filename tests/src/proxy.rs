//! A TCP proxy that can be cut, for what happens when a server is gone for a while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use shared::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Methods of calls that change something.
const WRITES: [&[u8]; 4] = [b"POST ", b"PATCH ", b"PUT ", b"DELETE "];

/// Passes bytes to a server and back, until it is cut. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Mutex<CancellationToken>>,
    end: CancellationToken,
    writes: Writes,
}

/// When which HTTP call that changes something went through, by its request line.
type Writes = Arc<Mutex<Vec<(DateTime<Utc>, String)>>>;

impl Proxy {
    /// Listens on a free port for connections to `server` (`host:port`).
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (line, end) = (
            Arc::new(Mutex::new(CancellationToken::new())),
            CancellationToken::new(),
        );
        let tasks = TaskTracker::new();
        let writes = Writes::default();
        let (for_task, current) = (tasks.clone(), Arc::clone(&line));
        let noted = Arc::clone(&writes);
        let accepting = async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = token(&current);
                // While the line is cut a connection is closed as soon as it is made.
                if !cut.is_cancelled() {
                    for_task.spawn(cut.run_until_cancelled_owned(pass(
                        client,
                        server.clone(),
                        Arc::clone(&noted),
                    )));
                }
            }
        };
        tasks.spawn(end.clone().run_until_cancelled_owned(accepting));
        Self {
            address,
            line,
            end,
            writes,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The request lines of the HTTP calls that went through in this time and change something.
    ///
    /// # Panics
    /// When another thread has panicked over them.
    pub fn writes_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
        let writes = self.writes.lock().expect("no holder of the lock panics");
        let within = writes.iter().filter(|(at, _)| (from..=to).contains(at));
        within.map(|(_, line)| line.clone()).collect()
    }

    /// Breaks every connection, and every new one, until [`Proxy::mend`].
    pub fn cut(&self) {
        token(&self.line).cancel();
    }

    /// Passes new connections again.
    pub fn mend(&self) {
        *self.line.lock().expect("no holder of the lock panics") = CancellationToken::new();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.end.cancel();
    }
}

fn token(line: &Mutex<CancellationToken>) -> CancellationToken {
    line.lock().expect("no holder of the lock panics").clone()
}

/// Either side may close at any time; that is passed on by dropping both.
async fn pass(client: TcpStream, server: String, writes: Writes) {
    let Ok(upstream) = TcpStream::connect(server).await else {
        return;
    };
    // What is passed on piece by piece must not wait for more.
    if client.set_nodelay(true).is_err() || upstream.set_nodelay(true).is_err() {
        return;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let there = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match from_client.read(&mut buffer).await {
                Ok(read) if read > 0 => {
                    note(&buffer[..read], &writes);
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

/// Clients send a new call in a piece of its own, after the answer to the one before.
fn note(piece: &[u8], writes: &Writes) {
    if !WRITES.iter().any(|method| piece.starts_with(method)) {
        return;
    }
    let line = piece
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    writes
        .lock()
        .expect("no holder of the lock panics")
        .push((SystemClock.now(), line));
}
