use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use scheduler::relay::tick;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::queue::Broker as _;
use shared::store::{circuits, jobs};
use tests::bridge::{Bridge, asked};
use uuid::Uuid;

on_both!(
    a_bell_that_nobody_answers_is_rung_again,
    bells_that_wait_in_their_lane_are_not_rung_twice,
    two_relays_ring_each_job_once,
    an_open_circuit_silences_its_connection_until_one_job_may_try,
    a_probe_that_got_lost_is_rung_again,
    urgent_requests_ring_first,
);

const LANE: &str = "create-ticket@main";

async fn batch(bridge: &Bridge, count: usize) {
    let items: Vec<Value> = (0..count)
        .map(|n| asked(&format!("R{n}"), "application-access"))
        .collect();
    let answer = bridge
        .api("idm")
        .await
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    assert_eq!(answer.body["accepted"], count);
}

/// Makes every job of the lane due and loses its bell.
async fn make_due(bridge: &Bridge) -> Vec<Uuid> {
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    let bells = bridge.bells(LANE).await;
    jobs::claim(conn, &bells, "gone", now).await.unwrap();
    jobs::reclaim(conn, now, now, 1000).await.unwrap();
    bells
}

fn set(ids: Vec<Uuid>) -> BTreeSet<Uuid> {
    ids.into_iter().collect()
}

async fn a_bell_that_nobody_answers_is_rung_again(bridge: &Bridge) {
    batch(bridge, 3).await;
    let first = bridge.bells(LANE).await;
    bridge.clock.advance(Duration::from_secs(5));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "five seconds are waited in full"
    );
    bridge.clock.advance(Duration::from_millis(1));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 3);
    assert_eq!(set(bridge.bells(LANE).await), set(first));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);
}

async fn bells_that_wait_in_their_lane_are_not_rung_twice(bridge: &Bridge) {
    batch(bridge, 10).await;
    bridge.clock.advance(Duration::from_mins(1));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "the workers are slow, no bell is lost"
    );
    let lanes = [LANE.parse().unwrap()];
    let lost = bridge.broker.pop(&lanes, 4, Duration::ZERO).await.unwrap();
    assert_eq!(lost.len(), 4);
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        4,
        "as many as are missing"
    );
    assert_eq!(bridge.bells(LANE).await.len(), 10);
}

async fn two_relays_ring_each_job_once(bridge: &Bridge) {
    batch(bridge, 100).await;
    let due = make_due(bridge).await;
    let other = bridge.another_scheduler().await;
    let (one, two) = tokio::join!(tick(&bridge.scheduler), tick(&other));
    assert_eq!(one.unwrap() + two.unwrap(), 100);
    let rung = bridge.bells(LANE).await;
    assert_eq!(rung.len(), 100, "none twice");
    assert_eq!(set(rung), set(due), "none missed");
}

async fn an_open_circuit_silences_its_connection_until_one_job_may_try(bridge: &Bridge) {
    batch(bridge, 3).await;
    let due = make_due(bridge).await;
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    let until = now + TimeDelta::seconds(60);
    circuits::open(
        conn,
        "main",
        "maintenance",
        "The instance is being upgraded.",
        until,
        now,
    )
    .await
    .unwrap();
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);
    bridge
        .api("idm")
        .await
        .create("R9", "application-access")
        .await;
    assert!(
        bridge.bells(LANE).await.is_empty(),
        "intake stores the job and rings nobody"
    );
    bridge.clock.advance(Duration::from_mins(1));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    let probe = bridge.bells(LANE).await;
    assert_eq!(probe.len(), 1);
    assert!(due.contains(&probe[0]));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "the others wait for the one that tries"
    );
    jobs::claim(conn, &probe, "worker", bridge.clock.now())
        .await
        .unwrap();
    bridge.clock.advance(Duration::from_mins(1));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "also while it runs"
    );
    circuits::close(conn, "main", bridge.clock.now())
        .await
        .unwrap();
    assert!(
        tick(&bridge.scheduler).await.unwrap() >= 3,
        "then all go on"
    );
}

async fn a_probe_that_got_lost_is_rung_again(bridge: &Bridge) {
    batch(bridge, 2).await;
    make_due(bridge).await;
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    circuits::open(conn, "main", "maintenance", "upgrade", now, now)
        .await
        .unwrap();
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    let first = bridge.bells(LANE).await;
    bridge.clock.advance(Duration::from_secs(6));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    let second = bridge.bells(LANE).await;
    assert_eq!((first.len(), second.len()), (1, 1), "one at a time");
    // Its worker dies: somebody else may try.
    jobs::claim(conn, &second, "gone", bridge.clock.now())
        .await
        .unwrap();
    jobs::reclaim(conn, bridge.clock.now(), bridge.clock.now(), 10)
        .await
        .unwrap();
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
}

async fn urgent_requests_ring_first(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut ids = Vec::new();
    for priority in [5, 3, 1] {
        let mut body = asked(&format!("R{priority}"), "application-access");
        body["priority"] = json!(priority);
        let id = api.post("/v1/requests", &body).await.id();
        ids.push(jobs::of_request(bridge.store().conn(), id).await.unwrap()[0].id);
    }
    make_due(bridge).await;
    tick(&bridge.scheduler).await.unwrap();
    ids.reverse();
    assert_eq!(bridge.bells(LANE).await, ids);
    let job = jobs::find(bridge.store().conn(), ids[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!((job.state, job.priority), (JobState::Rung, 1));
}
