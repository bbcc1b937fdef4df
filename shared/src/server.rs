//! An HTTP/1.1 server that stays up and answers others whatever some of its clients do.
//!
//! A connection is either being answered or waits for its client. Waiting ones cost little, are closed after a time, and
//! are closed at once, the longest waiting first, when their place is needed. So neither ten thousand idle connections
//! nor as many requests that never end keep anybody out, and the number of connections has a bound.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod connection;
mod descriptors;
mod patient;
mod seats;

use seats::Seats;

/// Rest after an `accept` that failed for want of something, file descriptors mostly: without it the loop would spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Such a failure is told this often.
const TOLD_EVERY: Duration = Duration::from_mins(1);
/// After the stop, a client may take this long to send the rest of a head that it has begun.
const LINGER: Duration = Duration::from_millis(500);

/// Whom a call came from: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What a server puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at a time. Fewer, when the system lets the process have fewer file descriptors.
    pub max_connections: usize,
    /// A connection is closed that waits this long for its client: for the whole head of the next request, or for room
    /// to write more of an answer.
    pub idle_timeout: Duration,
    /// After the stop, calls that have begun get this long to end; then their connections are cut.
    pub drain: Duration,
}

/// Serves until `stop`, then lets calls that have begun come to their end; returns when the last connection is closed. Clients that do
/// not take their answers cannot hold it up for longer than [`Limits::drain`].
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let seats = Arc::new(Seats::new(descriptors::afford(limits.max_connections)));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    let accepting = async {
        let mut told_at = None;
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    // While everybody is being answered, further newcomers wait in the queue of the system.
                    let seat = seats.take().await;
                    let serving = connection::serve(
                        stream,
                        Peer(address.ip()),
                        seat,
                        router.clone(),
                        limits.idle_timeout,
                        stop.clone(),
                    );
                    connections.spawn(cut.clone().run_until_cancelled_owned(serving));
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    told(&mut told_at, &error);
                    seats.free_one();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(LINGER, connections.wait())
        .await
        .is_err()
    {
        seats.free_all();
        if tokio::time::timeout(limits.drain, connections.wait())
            .await
            .is_err()
        {
            let left = connections.len();
            tracing::warn!(
                left,
                "connections are cut whose calls have not ended, or whose clients do not take the answers"
            );
            cut.cancel();
            connections.wait().await;
        }
    }
}

/// Errors of `accept` that concern only the connection that was to be accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

/// Logs a trouble, unless that was done a short time ago.
fn told(before: &mut Option<Instant>, error: &io::Error) {
    if before.is_some_and(|before| before.elapsed() < TOLD_EVERY) {
        return;
    }
    *before = Some(Instant::now());
    tracing::warn!(
        %error,
        "no connection can be accepted; waiting connections are closed to make room (raise the limit of open files: `ulimit -n`, LimitNOFILE=)"
    );
}
