use std::future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Watches from now on for the wish to stop, SIGTERM or SIGINT (Ctrl-C); the future is ready once it came. Called first thing, so
/// that a process that is stopped while it starts ends in good order too. Needs a running tokio runtime.
pub fn shutdown_signal() -> impl Future<Output = ()> {
    let (interrupted, terminated) = (
        watch(SignalKind::interrupt()),
        watch(SignalKind::terminate()),
    );
    async move {
        let name = tokio::select! {
            () = asked(interrupted) => "SIGINT",
            () = asked(terminated) => "SIGTERM",
        };
        tracing::info!(signal = name, "stopping");
    }
}

/// Without the signal, when it cannot be watched; the other one still works.
fn watch(kind: SignalKind) -> Option<Signal> {
    match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            tracing::error!(%error, "a stop signal cannot be watched");
            None
        }
    }
}

async fn asked(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => future::pending().await,
    }
}
