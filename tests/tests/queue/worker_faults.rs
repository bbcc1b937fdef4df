//! Workers while the broker fails.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusBuilder;
use shared::queue::{
    Broker, BrokerError, BrokerHealth, Doorbell, Lane, Popped, RedisBroker, RedisOptions,
};
use tests::redis_server::RedisServer;
use tokio::time::timeout;
use worker::runtime::RuntimeError;

use crate::{Heard, PATIENCE, Shift, bells, depth, lane, memory, options, redis, workers::Gate};

#[tokio::test]
async fn redis_down_at_the_start_delays_the_work_and_ends_nothing() {
    let mut server = RedisServer::down();
    let broker = redis(&server).await;
    let lane = lane("late@main");
    let heard = Heard::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, heard.ring());
    assert!(broker.push(&lane, &bells([1])).await.is_err());
    server.restart();
    ring_again(&broker, &lane, &bells(0..50)).await;
    heard.until(50).await;
    shift.stop().await.unwrap();
}

#[tokio::test]
async fn redis_killed_in_the_middle_cancels_no_handler_and_work_goes_on_after_a_second_ring() {
    let mut server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("killed@main");
    let gate = Gate::new();
    broker.push(&lane, &bells(0..10)).await.unwrap();
    let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, gate.ring());
    gate.begun(4).await;
    for round in 1..=3 {
        server.kill();
        // The running four finish while there is no server, and the fetcher asks in vain.
        gate.open(4);
        gate.ended(4 * round).await;
        assert!(!shift.run.is_finished());
        server.restart();
        ring_again(&broker, &lane, &bells(0..4)).await;
        gate.begun(4 * round + 4).await;
    }
    gate.open(4);
    gate.ended(16).await;
    shift.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_while_redis_is_away_ends_in_good_order() {
    let mut server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("away@main");
    broker.push(&lane, &bells(0..4)).await.unwrap();
    let gate = Gate::new();
    let shift = Shift::start(&[lane], 4, &broker, gate.ring());
    gate.begun(4).await;
    server.kill();
    shift.stop.cancel();
    gate.open(4);
    shift.end().await.unwrap();
    assert_eq!(gate.finished(), 4);
}

#[tokio::test]
async fn a_slow_redis_delays_the_work_and_ends_nothing() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("slow@main");
    let heard = Heard::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, heard.ring());
    broker.push(&lane, &bells(0..100)).await.unwrap();
    server.pause(Duration::from_millis(700));
    broker.push(&lane, &bells(100..200)).await.unwrap();
    heard.until(200).await;
    shift.stop().await.unwrap();
    assert_eq!(heard.sorted(), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_redis_slower_than_the_response_timeout_ends_nothing() {
    let server = RedisServer::start();
    let quick = RedisOptions {
        response_timeout: Duration::from_millis(100),
        ..options(&server)
    };
    let broker: Arc<dyn Broker> = Arc::new(RedisBroker::connect(quick).await.unwrap());
    let lane = lane("slower@main");
    let heard = Heard::new();
    let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, heard.ring());
    server.pause(Duration::from_millis(900));
    assert!(broker.push(&lane, &bells([7])).await.is_err());
    ring_again(&broker, &lane, &bells(0..50)).await;
    heard.until(50).await;
    shift.stop().await.unwrap();
}

#[tokio::test]
async fn stops_while_redis_is_paused_strand_nothing() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("paused@main");
    let heard = Heard::new();
    for round in 0..5 {
        let enough = heard.count() + 10;
        let new = bells(round * 40..round * 40 + 40);
        broker.push(&lane, &new).await.unwrap();
        let shift = Shift::start(std::slice::from_ref(&lane), 4, &broker, heard.ring());
        heard.until(enough).await;
        server.pause(Duration::from_millis(300));
        shift.stop().await.unwrap();
        let pushed = usize::try_from(round * 40 + 40).unwrap();
        assert_eq!(heard.count() + depth(&broker, &lane).await, pushed);
    }
}

#[tokio::test]
async fn a_bad_doorbell_is_counted_and_dropped() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("bad@main");
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);

    server.send("RPUSH tb-test:lane:bad@main garbage {} \"{\\\"v\\\":2}\"");
    broker.push(&lane, &bells(0..3)).await.unwrap();
    let heard = Heard::new();
    // One handler: a slot lost to a bad bell would end the work.
    let shift = Shift::start(std::slice::from_ref(&lane), 1, &broker, heard.ring());
    heard.until(3).await;
    shift.stop().await.unwrap();
    let metrics = handle.render();
    assert!(
        metrics.contains("ticketbridge_bad_doorbells_total{lane=\"bad@main\"} 3"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_fetcher_that_dies_ends_all_workers_with_an_error() {
    let broker: Arc<dyn Broker> = Arc::new(Dying(memory()));
    let shift = Shift::start(&[lane("dying@main")], 2, &broker, Heard::new().ring());
    let error = shift.end().await.unwrap_err();
    assert!(
        matches!(&error, RuntimeError::Ended { worker, .. } if worker == "worker-1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_worker_that_could_do_nothing_is_refused() {
    let broker = memory();
    for (lanes, concurrency) in [(vec![], 1), (vec![lane("a@main")], 0)] {
        let shift = Shift::start(&lanes, concurrency, &broker, Heard::new().ring());
        let error = shift.end().await.unwrap_err();
        assert!(matches!(error, RuntimeError::Idle { .. }), "{error}");
    }
}

/// Rings until the broker took it, as the relay does with jobs that nobody claimed.
async fn ring_again(broker: &Arc<dyn Broker>, lane: &Lane, bells: &[Doorbell]) {
    let rung = timeout(PATIENCE, async {
        while broker.push(lane, bells).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    rung.await.expect("the broker finds the server again");
}

/// A broker with a defect: its `pop` panics.
struct Dying(Arc<dyn Broker>);

#[async_trait]
impl Broker for Dying {
    async fn push(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        self.0.push(lane, doorbells).await
    }

    async fn pop(&self, _: &[Lane], _: usize, _: Duration) -> Result<Vec<Popped>, BrokerError> {
        panic!("a defect, on purpose");
    }

    async fn push_front(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        self.0.push_front(lane, doorbells).await
    }

    async fn depth(&self, lanes: &[Lane]) -> Result<Vec<(Lane, u64)>, BrokerError> {
        self.0.depth(lanes).await
    }

    async fn health(&self) -> Result<BrokerHealth, BrokerError> {
        self.0.health().await
    }
}
