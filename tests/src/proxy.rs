//! A TCP proxy that can be cut, for what happens when a server is gone for a while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Passes bytes to a server and back, until it is cut. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Mutex<CancellationToken>>,
    end: CancellationToken,
}

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
        let (for_task, current) = (tasks.clone(), Arc::clone(&line));
        let accepting = async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = token(&current);
                // While the line is cut a connection is closed as soon as it is made.
                if !cut.is_cancelled() {
                    for_task.spawn(cut.run_until_cancelled_owned(pass(client, server.clone())));
                }
            }
        };
        tasks.spawn(end.clone().run_until_cancelled_owned(accepting));
        Self { address, line, end }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
async fn pass(mut client: TcpStream, server: String) {
    if let Ok(mut upstream) = TcpStream::connect(server).await {
        tokio::io::copy_bidirectional(&mut client, &mut upstream)
            .await
            .ok();
    }
}
