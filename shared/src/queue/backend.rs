//! Our apalis backend: hands doorbells to an apalis worker (ARCHITECTURE.md, "Queue").
//!
//! What goes wrong at the broker stays in the fetcher, which is a task of its own: the worker never sees an error, so nothing there
//! can end it or cancel a running handler.

mod buffer;
mod crew;
mod fetcher;
mod slots;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, task_id::RandomId},
    worker::context::WorkerContext,
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::layer::util::Identity;

pub use self::crew::Crew;
pub use self::slots::Slots;
use self::{buffer::Buffer, fetcher::Fetcher};
use super::{Broker, Doorbell, Lane};

/// A doorbell on its way to the handler, with the handler slot it occupies until it is dropped.
#[derive(Debug)]
pub struct Rung {
    /// What was rung.
    pub bell: Doorbell,
    /// Where.
    pub lane: Lane,
    _slot: OwnedSemaphorePermit,
}

/// [`Backend`] of one worker over any [`Broker`].
pub struct BrokerBackend {
    buffer: Arc<Buffer>,
    fetcher: JoinHandle<()>,
    /// Ends the fetcher of this worker alone.
    stop: CancellationToken,
    name: String,
    crew: Crew,
}

impl BrokerBackend {
    /// Starts fetching at once, on `tasks`, for a worker called `name` that runs as many handlers as there are `slots`. `lanes` are in order of
    /// priority. Fetching ends with the crew.
    pub fn start(
        broker: Arc<dyn Broker>,
        name: &str,
        lanes: Vec<Lane>,
        slots: Slots,
        crew: &Crew,
        tasks: &TaskTracker,
    ) -> Self {
        let buffer = Arc::new(Buffer::default());
        let stop = crew.halted().child_token();
        let fetcher = Fetcher::new(broker, lanes, slots, Arc::clone(&buffer), stop.clone());
        let watched = crew.watch(name, fetcher.run(crew.cut().clone()));
        Self {
            buffer,
            fetcher: tasks.spawn(watched),
            stop,
            name: name.to_owned(),
            crew: crew.clone(),
        }
    }
}

impl Backend for BrokerBackend {
    type Task = Task<Rung>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Rung>, Infallible>>> {
        let next = self.buffer.poll_take(cx);
        next.map(|rung| rung.map(|rung| Ok(Task::new(rung))))
    }

    /// Waits for the fetcher, which hands back what no handler has begun.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.stop.cancel();
        // A fetcher that panicked has told the crew already.
        Pin::new(&mut self.fetcher).poll(cx).map(|_| Ok(()))
    }
}

impl Drop for BrokerBackend {
    fn drop(&mut self) {
        self.stop.cancel();
        self.crew.ended(&self.name);
    }
}

impl BackendConfig for BrokerBackend {
    type Args = Rung;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
