use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Runs `tick` at once, then `interval` after each end of a tick, or as soon as `nudge` is notified, until `stop`.
///
/// A tick that has begun is not cut short by the stop. `notify_one` during a tick makes the next one follow at once. An
/// error does not end the loop: it is logged when its text changes, and so is the first success after it. A panic does end
/// the loop, and with it the process, which names the task.
pub async fn every<F, Fut>(
    interval: Duration,
    nudge: Arc<Notify>,
    stop: CancellationToken,
    mut tick: F,
) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let mut trouble = None;
    while !stop.is_cancelled() {
        trouble = told(trouble, tick().await);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = nudge.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
    Ok(())
}

/// Logs a change between working and not working; returns the error that now stands.
fn told(before: Option<String>, result: anyhow::Result<()>) -> Option<String> {
    match (before, result) {
        (None, Ok(())) => None,
        (Some(_), Ok(())) => {
            tracing::info!("works again");
            None
        }
        (before, Err(error)) => {
            let now = format!("{error:#}");
            if before.as_ref() != Some(&now) {
                tracing::warn!(error = now, "failed; it is tried again at the next tick");
            }
            Some(now)
        }
    }
}
