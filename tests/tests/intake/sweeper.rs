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
    a_job_that_was_taken_back_goes_before_a_backlog,
    only_deaths_that_it_was_always_part_of_speak_against_a_job,
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

async fn a_job_that_was_taken_back_goes_before_a_backlog(bridge: &Bridge) {
    let conn = bridge.store().conn();
    worker(bridge, "host-worker-1").await;
    let api = bridge.api("idm").await;
    api.create("R1", "application-access").await;
    let lost = bridge.bells("create-ticket@main").await;
    jobs::claim(conn, &lost, "host-worker-1", bridge.clock.now())
        .await
        .unwrap();
    for number in 2..=20 {
        api.create(&format!("R{number}"), "application-access")
            .await;
    }
    bridge.clock.advance(Duration::from_secs(8));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    bridge.settle().await;
    let waiting = bridge.bells("create-ticket@main").await;
    assert_eq!(waiting.len(), 20);
    assert_eq!(waiting[0], lost[0], "it has waited its turn once");
}

async fn worker(bridge: &Bridge, id: &str) {
    let now = bridge.clock.now();
    let worker = Process {
        id: id.into(),
        kind: "worker".into(),
        host: "host".into(),
        version: "0.1.0".into(),
        lanes: Vec::new(),
        started_at: now,
    };
    processes::register(
        bridge.store().conn(),
        &worker,
        now + TimeDelta::seconds(8),
        now,
    )
    .await
    .unwrap();
}

async fn only_deaths_that_it_was_always_part_of_speak_against_a_job(bridge: &Bridge) {
    let conn = bridge.store().conn();
    bridge
        .api("idm")
        .await
        .create("R1", "application-access")
        .await;
    let bell = bridge.bells("create-ticket@main").await;
    // One round: this worker takes the job, the others nothing, and all of them die.
    let round = async |holder: &str, others: &[&str]| {
        bridge.clock.advance(Duration::from_mins(1));
        for id in others.iter().chain([&holder]) {
            worker(bridge, id).await;
        }
        let claimed = jobs::claim(conn, &bell, holder, bridge.clock.now()).await;
        assert_eq!(claimed.unwrap().len(), 1);
        bridge.clock.advance(Duration::from_secs(8));
        tick(&bridge.scheduler).await.unwrap();
        let job = jobs::find(conn, bell[0]).await.unwrap().unwrap();
        (
            job.worker_deaths,
            (job.due_at - bridge.clock.now()).num_seconds().max(0),
        )
    };
    assert_eq!(round("a", &[]).await, (1, 0), "it may have been anything");
    assert_eq!(round("b", &[]).await, (2, 0), "it runs again at once");
    assert_eq!(
        round("c", &["idle"]).await,
        (0, 0),
        "something else kills workers"
    );
    assert_eq!(round("d", &[]).await, (1, 0));
    assert_eq!(round("e", &[]).await, (2, 0));
    assert_eq!(
        round("f", &[]).await,
        (3, 56),
        "its verdict waits eight leases"
    );
    worker(bridge, "idle-too").await;
    bridge.clock.advance(Duration::from_secs(8));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);
    let job = jobs::find(conn, bell[0]).await.unwrap().unwrap();
    assert_eq!(
        job.worker_deaths, 0,
        "until its verdict is written it can be acquitted"
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
