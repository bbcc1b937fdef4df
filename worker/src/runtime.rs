//! The apalis workers of one process: concurrency, tracing, panics and graceful stop (ARCHITECTURE.md, "Queue").
//!
//! Which jobs exist and how they are run is not known here: a doorbell is handed to a [`Ring`].

use std::{
    any::Any,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis::layers::{
    catch_panic::{CatchPanicLayer, PanicError},
    tracing::TraceLayer,
};
use apalis_core::{
    monitor::{Monitor, MonitorError},
    task::Task,
    worker::{builder::WorkerBuilder, ext::parallelize::ParallelizeExt},
};
use futures::future::BoxFuture;
use shared::{
    queue::{Broker, BrokerBackend, Crew, Doorbell, Lane, Rung, Slots},
    telemetry::{continue_trace, names},
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Span, error, info, info_span, warn};

/// Answers one doorbell: claims the job, runs it, writes the outcome. What can go wrong is written there, so nothing is
/// returned.
pub type Ring = Arc<dyn Fn(Doorbell) -> BoxFuture<'static, ()> + Send + Sync>;

/// How long handlers that were cut get to notice before the process goes on without them.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// One worker: a group of lanes that share their handlers.
#[derive(Debug, Clone)]
pub struct LaneWorker {
    /// In order of priority: a bell in an earlier lane is always taken first.
    pub lanes: Vec<Lane>,
    /// How many handlers run at once; no bell is taken without a free one. It can be changed while they run.
    pub slots: Slots,
    /// For logs and errors; unique per process start (ARCHITECTURE.md, invariant 4).
    pub name: String,
}

/// Why [`run`] did not end in good order. Nothing is lost in any case: jobs that were cut run again when their leases expire.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A worker that could never do anything.
    #[error("worker `{worker}` has no {missing}")]
    Idle {
        /// Its name.
        worker: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// A worker ended although nobody asked it to; all others were stopped (ARCHITECTURE.md, invariant 14).
    #[error("worker `{worker}` ended unasked, so all workers were stopped; this is a defect")]
    Ended {
        /// Its name.
        worker: String,
        /// What apalis says about it, when it says something.
        source: Option<Box<MonitorError>>,
    },
    /// A worker failed while it was being stopped.
    #[error("a worker failed while stopping")]
    Stopping(#[source] Box<MonitorError>),
    /// The drain deadline passed.
    #[error("{handlers} jobs were still running {} s after the stop and were cut; they run again when their leases expire", .after.as_secs())]
    Cut {
        /// How many handlers were running.
        handlers: usize,
        /// The drain deadline.
        after: Duration,
    },
}

/// Runs all `workers` until `stop` is cancelled, then fetches nothing more, hands back what was not begun and lets running
/// handlers finish for up to `drain`.
///
/// Errors of the broker end nothing: they are logged by it and waited out. A panicking handler ends nothing either. Dropping the
/// future cuts all handlers at their next await.
pub async fn run(
    workers: Vec<LaneWorker>,
    broker: Arc<dyn Broker>,
    ring: Ring,
    stop: CancellationToken,
    drain: Duration,
) -> Result<(), RuntimeError> {
    workers.iter().try_for_each(check)?;
    let crew = Crew::new(&stop);
    let _cut_when_dropped = crew.cut().clone().drop_guard();
    let floor = Floor {
        broker,
        ring,
        crew: crew.clone(),
        tasks: TaskTracker::new(),
        running: Arc::default(),
    };
    let monitor = workers.into_iter().fold(Monitor::new(), |monitor, worker| {
        floor.register(monitor, worker)
    });
    let halted = crew.halted().clone();
    let work = monitor.run_with_signal(async move {
        halted.cancelled().await;
        Ok(())
    });
    let (result, cut) = floor.until_drained(work, drain).await;
    match (crew.deserter(), result) {
        (Some(worker), result) => Err(RuntimeError::Ended {
            worker: worker.to_owned(),
            source: result.err().map(Box::new),
        }),
        (None, Err(error)) => Err(RuntimeError::Stopping(Box::new(error))),
        (None, Ok(())) if cut > 0 => Err(RuntimeError::Cut {
            handlers: cut,
            after: drain,
        }),
        (None, Ok(())) => Ok(()),
    }
}

fn check(worker: &LaneWorker) -> Result<(), RuntimeError> {
    let missing = match worker {
        LaneWorker { lanes, .. } if lanes.is_empty() => "lanes",
        LaneWorker { slots, .. } if slots.limit() == 0 => "handlers (its concurrency is 0)",
        _ => return Ok(()),
    };
    Err(RuntimeError::Idle {
        worker: worker.name.clone(),
        missing,
    })
}

/// Where the workers work: what they share.
struct Floor {
    broker: Arc<dyn Broker>,
    ring: Ring,
    crew: Crew,
    tasks: TaskTracker,
    running: Arc<AtomicUsize>,
}

impl Floor {
    fn register(&self, monitor: Monitor, worker: LaneWorker) -> Monitor {
        info!(
            worker = worker.name,
            concurrency = worker.slots.limit(),
            lanes = %worker.lanes.iter().map(Lane::as_str).collect::<Vec<_>>().join(" "),
            "worker starts"
        );
        let (broker, crew, tasks) = (self.broker.clone(), self.crew.clone(), self.tasks.clone());
        let (ring, running) = (self.ring.clone(), self.running.clone());
        monitor.register(move |_| {
            let LaneWorker { lanes, slots, name } = worker.clone();
            let backend = BrokerBackend::start(broker.clone(), &name, lanes, slots, &crew, &tasks);
            let (ring, cut, running) = (ring.clone(), crew.cut().clone(), running.clone());
            let tasks = tasks.clone();
            // The first layer is the outermost: a task of its own for each handler, a span in it, panics caught in that.
            // The concurrency is bounded by the slots of the backend.
            WorkerBuilder::new(name)
                .backend(backend)
                .parallelize(move |handler| tasks.spawn(handler))
                .layer(TraceLayer::new().make_span_with(span).on_failure(()))
                .layer(CatchPanicLayer::with_panic_handler(panicked))
                .build(move |heard: Rung| answer(heard, ring.clone(), cut.clone(), running.clone()))
        })
    }

    /// Waits for the workers; at the drain deadline cuts what still runs and says how many handlers that were.
    async fn until_drained(
        &self,
        work: impl Future<Output = Result<(), MonitorError>>,
        drain: Duration,
    ) -> (Result<(), MonitorError>, usize) {
        let mut work = std::pin::pin!(work);
        let deadline = async {
            self.crew.halted().cancelled().await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            biased;
            result = &mut work => return (result, 0),
            () = deadline => {}
        }
        let cut = self.running.load(Ordering::SeqCst);
        warn!(
            handlers = cut,
            "the drain deadline passed; what still runs is cut"
        );
        self.crew.cut().cancel();
        let result = timeout(LAST_GRACE, work).await.unwrap_or(Ok(()));
        (result, cut)
    }
}

/// Runs one handler, unless the drain deadline passes first. The slot that `heard` holds is free again when this ends, however
/// it ends.
async fn answer(heard: Rung, ring: Ring, cut: CancellationToken, running: Arc<AtomicUsize>) {
    let _running = Running::enter(running);
    let bell = heard.bell.clone();
    // The call is inside the future, so that a panic in it is caught like one at a later await.
    cut.run_until_cancelled(async { ring(bell).await }).await;
}

/// The span of an answer, part of the trace of whoever caused the job.
fn span(task: &Task<Rung>) -> Span {
    let Rung { bell, lane, .. } = &task.args;
    let span = info_span!("doorbell", job = %bell.job, kind = bell.kind, %lane);
    continue_trace(&span, bell.traceparent.as_deref());
    span
}

/// Called inside the span of the doorbell. The lease of the job runs out, and then it is rung again.
fn panicked(payload: &Box<dyn Any + Send>) -> PanicError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic without a message").to_owned();
    error!(
        panic = text,
        "a job panicked; it runs again when its lease expires"
    );
    metrics::counter!(names::HANDLER_PANICS_TOTAL).increment(1);
    PanicError(text)
}

/// Counts a handler for as long as it runs.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn enter(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
