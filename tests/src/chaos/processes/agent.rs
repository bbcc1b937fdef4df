//! Something that goes on beside the script until it is told to end.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) struct Agent {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Agent {
    pub(super) fn start<F>(work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = TaskTracker::new().spawn(work(stop.clone()));
        Self { stop, task }
    }

    /// Tells it to end, and waits for that. Its own panic is passed on.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
