//! The life of a process: named tasks, one stop, and an end that is never silent.

use std::{future::Future, pin::Pin, time::Duration};

use anyhow::{Context as _, anyhow};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::{task::JoinError, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

mod every;
mod identity;
mod signal;

pub use every::every;
pub use identity::{host, identity};
pub use signal::shutdown_signal;

/// Supervises the tasks of a process (invariant 14): when one of them ends before the stop, for whatever reason, the whole
/// process stops and says which.
#[derive(Debug, Default)]
pub struct Process {
    stop: CancellationToken,
    tracker: TaskTracker,
    tasks: FuturesUnordered<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    names: Vec<&'static str>,
}

/// A supervised task that has ended.
struct Ended {
    name: &'static str,
    result: Result<anyhow::Result<()>, JoinError>,
}

impl Process {
    /// A process without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process is to stop. Cancelling it stops the process in the regular way.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Where tasks spawn what belongs to them, such as the jobs of a worker. The end of the process waits for it.
    pub fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// Starts a task that shall run until the stop, and end soon after it. `name` stands in its spans and in the error when
    /// it does not. Needs a running tokio runtime.
    pub fn supervise<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let running = self
            .tracker
            .spawn(task.instrument(tracing::info_span!("task", name)));
        self.names.push(name);
        self.tasks.push(Box::pin(async move {
            Ended {
                name,
                result: running.await,
            }
        }));
    }

    /// Runs until `shutdown` is ready, the stop token is cancelled, or a task ends; then stops everything and waits for at
    /// most `drain`.
    ///
    /// The error names the task that ended too early, failed or panicked, or those that were still running after `drain`.
    /// What follows from a first error is logged.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
        drain: Duration,
    ) -> anyhow::Result<()> {
        let mut outcome = self.until_stop(shutdown).await;
        self.stop.cancel();
        self.tracker.close();
        let deadline = Instant::now() + drain;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.next()).await {
            self.forget(ended.name);
            keep_first(&mut outcome, ended.after_stop());
        }
        let all_ended = tokio::time::timeout_at(deadline, self.tracker.wait()).await;
        if all_ended.is_err() {
            keep_first(&mut outcome, Err(self.still_running(drain)));
        }
        outcome
    }

    async fn until_stop(&mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        tokio::select! {
            // The stop comes first: a task that ends because of it has not ended too early.
            biased;
            () = stop.cancelled() => Ok(()),
            () = shutdown => Ok(()),
            Some(ended) = self.tasks.next() => {
                self.forget(ended.name);
                ended.before_stop()
            }
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(index) = self.names.iter().position(|known| *known == name) {
            self.names.swap_remove(index);
        }
    }

    fn still_running(&self, drain: Duration) -> anyhow::Error {
        let mut running: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        running.sort_unstable();
        match self.tracker.len().saturating_sub(running.len()) {
            0 => {}
            spawned => running.push(format!("{spawned} tasks that were spawned by others")),
        }
        anyhow!(
            "still running {} s after the stop: {}",
            drain.as_secs(),
            running.join(", ")
        )
    }
}

impl Ended {
    fn before_stop(self) -> anyhow::Result<()> {
        let name = self.name;
        match self.result {
            Ok(Ok(())) => Err(anyhow!("`{name}` ended although nobody asked it to")),
            Ok(Err(error)) => Err(error.context(format!("`{name}` failed"))),
            Err(error) => Err(panicked(name, error)),
        }
    }

    fn after_stop(self) -> anyhow::Result<()> {
        let name = self.name;
        match self.result {
            Ok(result) => result.with_context(|| format!("`{name}` failed while it stopped")),
            Err(error) => Err(panicked(name, error)),
        }
    }
}

fn panicked(name: &str, error: JoinError) -> anyhow::Error {
    let Ok(payload) = error.try_into_panic() else {
        return anyhow!("`{name}` was aborted");
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    anyhow!("`{name}` panicked: {text}")
}

fn keep_first(outcome: &mut anyhow::Result<()>, next: anyhow::Result<()>) {
    match (&outcome, next) {
        (_, Ok(())) => {}
        (Ok(()), Err(error)) => *outcome = Err(error),
        (Err(_), Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "a further task failed");
        }
    }
}

#[cfg(test)]
mod tests;
