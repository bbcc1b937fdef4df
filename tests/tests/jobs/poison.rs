//! Jobs that kill their workers are given up after the third; what happened to innocents beside them is forgotten.

use std::time::Duration;

use shared::clock::Clock as _;
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::{jobs, processes};
use tests::running::Running;
use uuid::Uuid;

on_both!(
    a_poison_create_is_flagged_and_not_denied,
    a_poison_create_whose_ticket_was_seen_is_done,
    a_ticket_that_shows_later_takes_the_flag_away,
    a_poison_job_can_be_revived,
    suspects_run_one_at_a_time,
);

/// Workers claim the job and die over it, so many in a row.
async fn kill_workers(it: &Running, job: Uuid, times: usize) {
    let conn = it.bridge.store().conn();
    for time in 0..times {
        it.advance(Duration::from_mins(1));
        let now = it.bridge.clock.now();
        let owner = format!("victim-{time}");
        let claimed = jobs::claim(conn, &[job], &owner, now).await.unwrap();
        assert_eq!(claimed.len(), 1, "it is due");
        // What the first worker is believed to be does not matter here: only victims die.
        processes::expire(conn, now).await.unwrap();
        jobs::reclaim(conn, now, now, 10).await.unwrap();
    }
    worker::heartbeat::tick(&it.worker).await.unwrap();
}

async fn a_poison_create_is_flagged_and_not_denied(it: &Running) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    kill_workers(it, bell.job, 3).await;
    worker::ring(&it.worker, bell).await;
    assert_eq!(
        it.main.count(&simulator::CallFilter::default()),
        0,
        "its handler is not called"
    );
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Dead, Some("poison"))
    );
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::Accepted,
        "a ticket may be there, so nobody may ask again blindly"
    );
    insta::assert_snapshot!(request.attention.unwrap(), @"Ticket uncertain: 3 workers in a row died while they ran it, so it is not run again. A ticket may have been made: look in ServiceNow for correlation_id with the id of this request before it is asked again.");
    let attempts = it.attempts(id).await;
    assert_eq!(
        (attempts[0].outcome.as_str(), attempts[0].class.as_deref()),
        ("dead", Some("poison"))
    );
    it.settle().await;
    assert_eq!(it.records("incident").len(), 0);
}

/// A create whose first worker got as far as the instance, whose answer reached nobody any more.
async fn unseen(it: &Running) -> (Uuid, Uuid) {
    it.opened("R2", "access").await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    let silent = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        let conn = it.bridge.store().conn();
        let now = it.bridge.clock.now() + Duration::from_mins(1);
        processes::expire(conn, now).await.unwrap();
        jobs::reclaim(conn, now, now, 10).await.unwrap();
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(worker::ring(&it.worker, bell.clone()), silent);
    it.main.set_knobs(|knobs| knobs.latency_ms = 0);
    assert_eq!(it.records("incident").len(), 2);
    assert!(!it.ticket(id).await.exists);
    (id, bell.job)
}

async fn a_poison_create_whose_ticket_was_seen_is_done(it: &Running) {
    let (id, job) = unseen(it).await;
    kill_workers(it, job, 1).await;
    it.advance(Duration::from_mins(1));
    let (conn, now) = (it.bridge.store().conn(), it.bridge.clock.now());
    jobs::claim(conn, &[job], "victim", now).await.unwrap();
    processes::expire(conn, now).await.unwrap();
    jobs::reclaim(conn, now, now + Duration::from_mins(5), 10)
        .await
        .unwrap();
    worker::heartbeat::tick(&it.worker).await.unwrap();
    assert_eq!(it.job(id, "create_ticket.v1").await.worker_deaths, 3);

    // Before its verdict is due, a poll knows the ticket by its id.
    it.poll("incident").await;
    assert!(it.ticket(id).await.exists);
    it.advance(Duration::from_mins(6));
    it.settle().await;
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Done);
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None)
    );
    assert_eq!(it.records("incident").len(), 2);
}

async fn a_ticket_that_shows_later_takes_the_flag_away(it: &Running) {
    let (id, job) = unseen(it).await;
    kill_workers(it, job, 2).await;
    it.settle().await;
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Dead);
    assert!(it.request(id).await.attention.is_some());
    it.poll("incident").await;
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None)
    );
    assert!(it.ticket(id).await.exists);
    assert_eq!(it.records("incident").len(), 2);
}

async fn a_poison_job_can_be_revived(it: &Running) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    kill_workers(it, bell.job, 3).await;
    worker::ring(&it.worker, bell.clone()).await;
    let tx = it.bridge.store().begin().await.unwrap();
    let operator = Actor::Operator("op.one".into());
    assert!(
        jobs::revive(&tx, bell.job, &operator, it.bridge.clock.now())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    it.settle().await;
    assert_eq!(it.records("incident").len(), 1);
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None),
        "the flag goes with its cause"
    );
}

async fn suspects_run_one_at_a_time(it: &Running) {
    it.opened("R0", "access").await;
    let (one, other) = (it.ask("R1", "access").await, it.ask("R2", "access").await);
    let innocent = it.ask("R3", "access").await;
    let bells = it.bells().await;
    kill_workers(it, bells[0].job, 2).await;
    kill_workers(it, bells[1].job, 2).await;
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    let beside = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        worker::ring(&it.worker, bells[1].clone()).await;
        let put_off = it.job(other, "create_ticket.v1").await;
        assert_eq!(
            (put_off.state, put_off.last_error_class.as_deref()),
            (JobState::Due, Some("suspect"))
        );
        assert_eq!((put_off.worker_deaths, put_off.attempts), (2, 0));
        it.main.set_knobs(|knobs| knobs.latency_ms = 0);
        worker::ring(&it.worker, bells[2].clone()).await;
        assert_eq!(it.request(innocent).await.state, RequestState::Open);
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(worker::ring(&it.worker, bells[0].clone()), beside);
    let ended = it.job(one, "create_ticket.v1").await;
    assert_eq!((ended.state, ended.worker_deaths), (JobState::Done, 0));
    it.pass(Duration::from_secs(4), Duration::from_secs(2))
        .await;
    let ended = it.job(other, "create_ticket.v1").await;
    assert_eq!((ended.state, ended.worker_deaths), (JobState::Done, 0));
    assert_eq!(it.records("incident").len(), 4);
}
