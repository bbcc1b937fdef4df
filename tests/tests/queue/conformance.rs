//! What every broker does, whatever carries its bells.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::queue::{BATCH_LIMIT, Broker, Lane, Popped};
use tests::redis_server::RedisServer;
use tokio::time::{Instant, timeout};

use crate::{PATIENCE, bells, beside, depth, lane, memory, redis};

const NO_WAIT: Duration = Duration::ZERO;

#[tokio::test]
async fn the_memory_broker_conforms() {
    conforms(memory()).await;
}

#[tokio::test]
async fn the_redis_broker_conforms() {
    let server = RedisServer::start();
    conforms(redis(&server).await).await;
}

/// Every case uses lanes of its own.
async fn conforms(broker: Arc<dyn Broker>) {
    bells_come_out_in_the_order_they_went_in(&broker).await;
    earlier_lanes_come_first(&broker).await;
    a_batch_is_bounded(&broker).await;
    an_empty_pop_waits_as_long_as_it_was_told(&broker).await;
    a_push_wakes_a_waiting_pop(&broker).await;
    what_is_given_back_comes_out_next(&broker).await;
    depths_are_told_in_the_order_asked(&broker).await;
    asking_for_nothing_gives_nothing(&broker).await;
    poppers_share_without_overlap(&broker).await;
    broker.health().await.unwrap();
}

async fn bells_come_out_in_the_order_they_went_in(broker: &Arc<dyn Broker>) {
    let lane = lane("order@main");
    broker.push(&lane, &bells(1..=4)).await.unwrap();
    broker.push(&lane, &bells(5..=7)).await.unwrap();
    assert_eq!(pop(broker, &[&lane], 3).await, [1, 2, 3]);
    assert_eq!(pop(broker, &[&lane], 100).await, [4, 5, 6, 7]);
    assert_eq!(pop(broker, &[&lane], 100).await, []);
}

async fn earlier_lanes_come_first(broker: &Arc<dyn Broker>) {
    let (urgent, plain) = (lane("urgent@main"), lane("plain@main"));
    broker.push(&plain, &bells(1..=2)).await.unwrap();
    broker.push(&urgent, &bells(11..=13)).await.unwrap();
    let both = [&urgent, &plain];
    assert_eq!(pop(broker, &both, 2).await, [11, 12]);
    assert_eq!(pop(broker, &both, 2).await, [13], "one lane per batch");
    broker.push(&urgent, &bells([14])).await.unwrap();
    assert_eq!(pop(broker, &both, 2).await, [14]);
    let last = broker
        .pop(&[urgent, plain.clone()], 2, NO_WAIT)
        .await
        .unwrap();
    assert!(last.iter().all(|popped| popped.lane == plain));
    assert_eq!(numbers(last), [1, 2]);
}

async fn a_batch_is_bounded(broker: &Arc<dyn Broker>) {
    let lane = lane("batch@main");
    let pushed: Vec<u128> = (1..=1_201).collect();
    broker.push(&lane, &bells(pushed.clone())).await.unwrap();
    assert_eq!(depth(broker, &lane).await, 1_201);
    let mut all = Vec::new();
    loop {
        let batch = pop(broker, &[&lane], 100_000).await;
        assert!(batch.len() <= BATCH_LIMIT, "{}", batch.len());
        if batch.is_empty() {
            break;
        }
        all.extend(batch);
    }
    assert_eq!(all, pushed);
}

async fn an_empty_pop_waits_as_long_as_it_was_told(broker: &Arc<dyn Broker>) {
    let lane = lane("empty@main");
    let wait = Duration::from_millis(60);
    let begin = Instant::now();
    let popped = broker.pop(&[lane], 10, wait).await.unwrap();
    assert!(popped.is_empty());
    assert!(begin.elapsed() >= wait, "{:?}", begin.elapsed());
}

async fn a_push_wakes_a_waiting_pop(broker: &Arc<dyn Broker>) {
    let (first, second) = (lane("wake-1@main"), lane("wake-2@main"));
    let lanes = [first, second.clone()];
    for round in 0..20 {
        let begin = Instant::now();
        let (popped, ()) =
            tokio::join!(timeout(PATIENCE, broker.pop(&lanes, 10, PATIENCE)), async {
                tokio::task::yield_now().await;
                broker.push(&second, &bells([round])).await.unwrap();
            });
        assert_eq!(numbers(popped.expect("woken").unwrap()), [round]);
        assert!(begin.elapsed() < PATIENCE / 10, "{:?}", begin.elapsed());
    }
}

async fn what_is_given_back_comes_out_next(broker: &Arc<dyn Broker>) {
    let lane = lane("back@main");
    broker.push(&lane, &bells(1..=5)).await.unwrap();
    assert_eq!(pop(broker, &[&lane], 4).await, [1, 2, 3, 4]);
    broker.push_front(&lane, &bells(2..=4)).await.unwrap();
    assert_eq!(pop(broker, &[&lane], 100).await, [2, 3, 4, 5]);

    let many: Vec<u128> = (1..=1_200).collect();
    broker.push(&lane, &bells([9_999])).await.unwrap();
    broker
        .push_front(&lane, &bells(many.clone()))
        .await
        .unwrap();
    let mut all = Vec::new();
    while all.len() < 1_201 {
        all.extend(pop(broker, &[&lane], 500).await);
    }
    assert_eq!(all[..1_200], many);
    assert_eq!(all[1_200], 9_999);
}

async fn depths_are_told_in_the_order_asked(broker: &Arc<dyn Broker>) {
    let lanes = ["depth-c@main", "depth-a@main", "depth-b@main"].map(lane);
    broker.push(&lanes[0], &bells(1..=3)).await.unwrap();
    broker.push(&lanes[2], &bells(1..=600)).await.unwrap();
    let told = broker.depth(&lanes).await.unwrap();
    let expected: Vec<_> = lanes.into_iter().zip([3, 0, 600]).collect();
    assert_eq!(told, expected);
    assert_eq!(broker.depth(&[]).await.unwrap(), []);
}

async fn asking_for_nothing_gives_nothing(broker: &Arc<dyn Broker>) {
    let lane = lane("nothing@main");
    broker.push(&lane, &[]).await.unwrap();
    broker.push_front(&lane, &[]).await.unwrap();
    assert_eq!(depth(broker, &lane).await, 0);
    broker.push(&lane, &bells([1])).await.unwrap();
    assert!(broker.pop(&[], 5, NO_WAIT).await.unwrap().is_empty());
    assert!(broker.pop(&[lane], 0, PATIENCE).await.unwrap().is_empty());
}

/// 20,000 bells, taken by four at once while they are still being pushed: each exactly once.
async fn poppers_share_without_overlap(broker: &Arc<dyn Broker>) {
    const ALL: usize = 20_000;
    let lane = lane("share@main");
    let poppers = [7, 100, 500, 31].map(|max| {
        let (broker, lane) = (broker.clone(), lane.clone());
        beside(async move {
            let mut mine = Vec::new();
            loop {
                let batch = broker
                    .pop(std::slice::from_ref(&lane), max, Duration::from_secs(1))
                    .await;
                let batch = numbers(batch.unwrap());
                if batch.is_empty() {
                    return mine;
                }
                mine.extend(batch);
                tokio::task::yield_now().await;
            }
        })
    });
    for start in (0..ALL as u128).step_by(1_000) {
        broker
            .push(&lane, &bells(start..start + 1_000))
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    for popper in poppers {
        seen.extend(timeout(PATIENCE, popper).await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), ALL);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), ALL);
}

async fn pop(broker: &Arc<dyn Broker>, lanes: &[&Lane], max: usize) -> Vec<u128> {
    let lanes: Vec<Lane> = lanes.iter().copied().cloned().collect();
    numbers(broker.pop(&lanes, max, NO_WAIT).await.unwrap())
}

fn numbers(popped: Vec<Popped>) -> Vec<u128> {
    let number = |popped: Popped| popped.bell.unwrap().job.as_u128();
    popped.into_iter().map(number).collect()
}
