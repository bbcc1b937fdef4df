use std::{future, io};

/// Ready when the process is asked to stop: SIGTERM or SIGINT (Ctrl-C).
pub async fn shutdown_signal() {
    let name = tokio::select! {
        () = asked(tokio::signal::ctrl_c()) => "SIGINT",
        () = asked(terminated()) => "SIGTERM",
    };
    tracing::info!(signal = name, "stopping");
}

/// Never ready when the signal cannot be watched; the other one still works.
async fn asked(signal: impl Future<Output = io::Result<()>>) {
    if let Err(error) = signal.await {
        tracing::error!(%error, "a stop signal cannot be watched");
        future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> io::Result<()> {
    future::pending().await
}
