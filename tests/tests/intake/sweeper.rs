use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use scheduler::sweeper::{Sweeper, tick};
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::store::processes::{self, Process};
use shared::store::{idempotency, jobs};
use tests::bridge::{Answer, Bridge, asked};

on_both!(
    jobs_of_a_silent_worker_run_elsewhere,
    old_idempotency_keys_are_forgotten
);

async fn jobs_of_a_silent_worker_run_elsewhere(bridge: &Bridge) {
    let conn = bridge.store().conn();
    let now = bridge.clock.now();
    let worker = Process {
        id: "host-worker-1".into(),
        kind: "worker".into(),
        host: "host".into(),
        version: "0.1.0".into(),
        lanes: Vec::new(),
        started_at: now,
    };
    processes::register(conn, &worker, now + TimeDelta::seconds(8), now)
        .await
        .unwrap();
    bridge
        .api("idm")
        .await
        .create("R1", "application-access")
        .await;
    let bells = bridge.bells("create-ticket@main").await;
    jobs::claim(conn, &bells, "host-worker-1", now)
        .await
        .unwrap();
    bridge.clock.advance(Duration::from_secs(7));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0, "its lease holds");
    bridge.clock.advance(Duration::from_secs(1));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    assert_eq!(
        processes::alive(conn, bridge.clock.now()).await.unwrap(),
        []
    );
    let woken = tokio::time::timeout(
        Duration::from_secs(5),
        bridge.scheduler.relay_nudge.notified(),
    )
    .await;
    assert!(woken.is_ok(), "the relay is woken at once");
    bridge.settle().await;
    assert_eq!(bridge.bells("create-ticket@main").await, bells);
    assert_eq!(
        jobs::find(conn, bells[0]).await.unwrap().unwrap().state,
        JobState::Rung
    );
}

async fn old_idempotency_keys_are_forgotten(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let call = api
        .call(Method::POST, "/v1/requests")
        .header("Idempotency-Key", "k-1");
    Answer::of(call.json(&asked("R1", "application-access"))).await;
    let conn = bridge.store().conn();
    let mut sweeper = Sweeper::default();
    for (days, remembered) in [(0, true), (30, true), (1, false)] {
        bridge.clock.advance(Duration::from_hours(24 * days));
        sweeper.tick(&bridge.scheduler).await.unwrap();
        let found = idempotency::find(conn, "idm", "k-1", b"").await.unwrap();
        assert_eq!(found.is_some(), remembered, "{days} more days");
    }
}
