//! The apalis workers over both brokers.

use std::{sync::Arc, time::Duration};

use shared::queue::Broker;
use tests::redis_server::RedisServer;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout},
};
use worker::runtime::{Ring, RuntimeError};

use crate::{Heard, PATIENCE, Shift, bells, depth, lane};

/// Each case runs on every broker.
macro_rules! on_every_broker {
    ($($case:ident),+ $(,)?) => {
        mod memory_broker {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::memory()).await;
            })+
        }
        mod redis_broker {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let server = super::RedisServer::start();
                super::$case(crate::redis(&server).await).await;
            })+
        }
    };
}

on_every_broker![
    every_bell_is_heard_once,
    a_hundred_stops_under_load_strand_nothing,
    no_more_bells_are_taken_than_handlers_are_free,
    earlier_lanes_are_served_first,
    a_panic_ends_nothing,
    a_stop_lets_running_handlers_finish,
    a_handler_that_outlives_the_deadline_is_cut,
    an_idle_worker_stops_soon,
];

async fn every_bell_is_heard_once(broker: Arc<dyn Broker>) {
    let lane = lane("all@main");
    let heard = Heard::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 8, &broker, heard.ring());
    broker.push(&lane, &bells(0..3_000)).await.unwrap();
    heard.until(3_000).await;
    shift.stop().await.unwrap();
    assert_eq!(heard.sorted(), (0..3_000).collect::<Vec<_>>());
    assert_eq!(depth(&broker, &lane).await, 0);
}

async fn a_hundred_stops_under_load_strand_nothing(broker: Arc<dyn Broker>) {
    let lane = lane("load@main");
    let heard = Heard::new();
    let mut pushed = 0;
    for round in 0..100 {
        // Stopped at another point each time: before the first bell, in the middle, while the lane runs dry.
        let enough = heard.count() + usize::try_from(round % 50).unwrap();
        let new = bells((0..60).map(|n| round * 60 + n));
        broker.push(&lane, &new).await.unwrap();
        pushed += 60;
        let shift = Shift::start(std::slice::from_ref(&lane), 7, &broker, yielding(&heard));
        heard.until(enough).await;
        shift.stop().await.unwrap();
        let left = depth(&broker, &lane).await;
        assert_eq!(
            heard.count() + left,
            pushed,
            "after stop {round}, {left} left"
        );
    }
    let shift = Shift::start(std::slice::from_ref(&lane), 7, &broker, yielding(&heard));
    heard.until(pushed).await;
    shift.stop().await.unwrap();
    assert_eq!(
        heard.sorted(),
        (0..100 * 60).collect::<Vec<_>>(),
        "each exactly once"
    );
}

async fn no_more_bells_are_taken_than_handlers_are_free(broker: Arc<dyn Broker>) {
    let lane = lane("slots@main");
    broker.push(&lane, &bells(0..100)).await.unwrap();
    let gate = Gate::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 5, &broker, gate.ring());
    gate.begun(5).await;
    assert_eq!(depth(&broker, &lane).await, 95);
    gate.open(2);
    gate.begun(7).await;
    assert_eq!(depth(&broker, &lane).await, 93);
    gate.open(98);
    gate.begun(100).await;
    shift.stop().await.unwrap();
    assert_eq!(gate.finished(), 100);
}

async fn earlier_lanes_are_served_first(broker: Arc<dyn Broker>) {
    let (urgent, plain) = (lane("urgent@main"), lane("plain@main"));
    broker.push(&plain, &bells(100..120)).await.unwrap();
    broker.push(&urgent, &bells(0..20)).await.unwrap();
    let heard = Heard::new();
    let shift = Shift::start(&[urgent, plain], 1, &broker, heard.ring());
    heard.until(40).await;
    shift.stop().await.unwrap();
    let order = heard.jobs.lock().unwrap().clone();
    assert_eq!(order, (0..20).chain(100..120).collect::<Vec<_>>());
}

async fn a_panic_ends_nothing(broker: Arc<dyn Broker>) {
    let lane = lane("panic@main");
    let heard = Heard::new();
    let ring: Ring = {
        let heard = heard.clone();
        Arc::new(move |bell| {
            let job = bell.job.as_u128();
            assert!(job % 3 != 0, "a panic in the call, on purpose");
            let heard = heard.clone();
            Box::pin(async move {
                tokio::task::yield_now().await;
                assert!(job % 3 != 1, "a panic later, on purpose");
                heard.note(&bell);
            })
        })
    };
    // Two handlers: a slot that a panic did not give back would end the work soon.
    let shift = Shift::start(std::slice::from_ref(&lane), 2, &broker, ring);
    broker.push(&lane, &bells(0..90)).await.unwrap();
    heard.until(30).await;
    shift.stop().await.unwrap();
    assert_eq!(
        heard.sorted(),
        (0..90).filter(|n| n % 3 == 2).collect::<Vec<_>>()
    );
}

async fn a_stop_lets_running_handlers_finish(broker: Arc<dyn Broker>) {
    let lane = lane("drain@main");
    broker.push(&lane, &bells(0..10)).await.unwrap();
    let gate = Gate::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, gate.ring());
    gate.begun(4).await;
    shift.stop.cancel();
    gate.open(100);
    shift.end().await.unwrap();
    assert_eq!(gate.finished() + depth(&broker, &lane).await, 10);
    assert!(gate.finished() >= 4, "what ran was not cut");
}

async fn a_handler_that_outlives_the_deadline_is_cut(broker: Arc<dyn Broker>) {
    let lane = lane("cut@main");
    broker.push(&lane, &bells(0..10)).await.unwrap();
    let gate = Gate::new();
    let lanes = std::slice::from_ref(&lane);
    let shift = Shift::start_with(lanes, 3, &broker, gate.ring(), Duration::from_millis(50));
    gate.begun(3).await;
    let error = shift.stop().await.unwrap_err();
    assert!(
        matches!(error, RuntimeError::Cut { handlers: 3, .. }),
        "{error}"
    );
    assert_eq!(gate.finished(), 0);
    assert_eq!(
        depth(&broker, &lane).await,
        7,
        "what was not begun stays in the broker"
    );
}

async fn an_idle_worker_stops_soon(broker: Arc<dyn Broker>) {
    let lane = lane("idle@main");
    let heard = Heard::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 2, &broker, heard.ring());
    broker.push(&lane, &bells([1])).await.unwrap();
    heard.until(1).await;
    let begin = Instant::now();
    shift.stop().await.unwrap();
    assert!(begin.elapsed() < PATIENCE / 10, "{:?}", begin.elapsed());
}

/// Handlers that give other tasks a turn, so that a stop finds some of them half done.
fn yielding(heard: &Heard) -> Ring {
    let heard = heard.clone();
    Arc::new(move |bell| {
        let heard = heard.clone();
        Box::pin(async move {
            for _ in 0..bell.job.as_u128() % 4 {
                tokio::task::yield_now().await;
            }
            heard.note(&bell);
        })
    })
}

/// Handlers that wait until the test lets them finish.
pub(crate) struct Gate {
    begun: watch::Sender<usize>,
    finished: watch::Sender<usize>,
    permits: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: watch::Sender::new(0),
            finished: watch::Sender::new(0),
            permits: Arc::new(Semaphore::new(0)),
        })
    }

    pub(crate) fn ring(self: &Arc<Self>) -> Ring {
        let gate = self.clone();
        Arc::new(move |_| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.begun.send_modify(|count| *count += 1);
                gate.permits.acquire().await.unwrap().forget();
                gate.finished.send_modify(|count| *count += 1);
            })
        })
    }

    pub(crate) fn open(&self, handlers: usize) {
        self.permits.add_permits(handlers);
    }

    pub(crate) fn finished(&self) -> usize {
        *self.finished.borrow()
    }

    pub(crate) async fn begun(&self, count: usize) {
        reaches(&self.begun, count).await;
    }

    pub(crate) async fn ended(&self, count: usize) {
        reaches(&self.finished, count).await;
    }
}

async fn reaches(counter: &watch::Sender<usize>, count: usize) {
    let mut counts = counter.subscribe();
    let reached = timeout(PATIENCE, counts.wait_for(|now| *now >= count)).await;
    assert!(reached.is_ok(), "{} of {count}", *counter.borrow());
}
