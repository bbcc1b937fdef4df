//! The queue on real servers: one conformance suite for all brokers, Redis' own faults, and the apalis workers over both.

#![expect(
    clippy::unwrap_used,
    reason = "a failed test is what an error means here"
)]

mod conformance;
mod redis_faults;
mod sentinel;
mod worker_faults;
mod workers;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use secrecy::SecretString;
use shared::queue::{Broker, Doorbell, Lane, MemoryBroker, RedisBroker, RedisOptions, Slots};
use tests::redis_server::RedisServer;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use worker::runtime::{LaneWorker, Ring, RuntimeError};

/// Far beyond anything that goes well; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

fn lane(name: &str) -> Lane {
    name.parse().unwrap()
}

fn bell(number: u128) -> Doorbell {
    Doorbell {
        job: Uuid::from_u128(number),
        kind: "create_ticket.v1".into(),
        traceparent: None,
    }
}

fn bells(numbers: impl IntoIterator<Item = u128>) -> Vec<Doorbell> {
    numbers.into_iter().map(bell).collect()
}

fn options(server: &RedisServer) -> RedisOptions {
    RedisOptions {
        url: SecretString::from(server.url()),
        prefix: "tb-test".into(),
        response_timeout: Duration::from_secs(5),
        sentinel: None,
    }
}

fn memory() -> Arc<dyn Broker> {
    Arc::new(MemoryBroker::new())
}

async fn redis(server: &RedisServer) -> Arc<dyn Broker> {
    Arc::new(RedisBroker::connect(options(server)).await.unwrap())
}

/// A [`Ring`] that notes what it heard.
#[derive(Clone)]
struct Heard {
    jobs: Arc<Mutex<Vec<u128>>>,
    count: watch::Sender<usize>,
}

impl Heard {
    fn new() -> Self {
        Self {
            jobs: Arc::default(),
            count: watch::Sender::new(0),
        }
    }

    fn note(&self, bell: &Doorbell) {
        self.jobs.lock().unwrap().push(bell.job.as_u128());
        self.count.send_modify(|count| *count += 1);
    }

    fn ring(&self) -> Ring {
        let heard = self.clone();
        Arc::new(move |bell| -> BoxFuture<'static, ()> {
            let heard = heard.clone();
            Box::pin(async move { heard.note(&bell) })
        })
    }

    fn count(&self) -> usize {
        *self.count.borrow()
    }

    fn sorted(&self) -> Vec<u128> {
        let mut jobs = self.jobs.lock().unwrap().clone();
        jobs.sort_unstable();
        jobs
    }

    async fn until(&self, count: usize) {
        let mut counts = self.count.subscribe();
        let reached = timeout(PATIENCE, counts.wait_for(|heard| *heard >= count)).await;
        assert!(reached.is_ok(), "heard {} of {count}", self.count());
    }
}

/// Workers that run beside the test until told to stop.
struct Shift {
    stop: CancellationToken,
    run: JoinHandle<Result<(), RuntimeError>>,
}

impl Shift {
    fn start(lanes: &[Lane], concurrency: usize, broker: &Arc<dyn Broker>, ring: Ring) -> Self {
        Self::start_with(lanes, concurrency, broker, ring, PATIENCE)
    }

    fn start_with(
        lanes: &[Lane],
        concurrency: usize,
        broker: &Arc<dyn Broker>,
        ring: Ring,
        drain: Duration,
    ) -> Self {
        let worker = LaneWorker {
            lanes: lanes.to_vec(),
            slots: Slots::new(concurrency),
            name: "worker-1".into(),
        };
        let stop = CancellationToken::new();
        let work = worker::runtime::run(vec![worker], broker.clone(), ring, stop.clone(), drain);
        Self {
            stop,
            run: beside(work),
        }
    }

    /// The end of the workers, which must come by itself.
    async fn end(self) -> Result<(), RuntimeError> {
        timeout(PATIENCE, self.run)
            .await
            .expect("the workers end")
            .unwrap()
    }

    async fn stop(self) -> Result<(), RuntimeError> {
        self.stop.cancel();
        self.end().await
    }
}

/// Runs something beside the test.
fn beside<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    TaskTracker::new().spawn(work)
}

async fn depth(broker: &Arc<dyn Broker>, lane: &Lane) -> usize {
    let depths = broker.depth(std::slice::from_ref(lane)).await.unwrap();
    usize::try_from(depths[0].1).unwrap()
}

/// Waits until a condition outside of this process holds, without holding up the tasks of the test.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let held = timeout(PATIENCE, async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    assert!(held.await.is_ok(), "{what}");
}
