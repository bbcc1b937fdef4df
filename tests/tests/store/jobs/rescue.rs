//! What becomes of jobs whose worker died, that are parked or dead, or that nobody needs any more.

use shared::job::{JobKind, JobState, NewJob};
use shared::store::audit::{self, Actor};
use shared::store::jobs::{self, Cancel, Ending};
use shared::store::processes::{self, Process};
use tests::databases::TestDatabase;
use uuid::Uuid;

use super::{claimed, inserted, job, read};
use crate::{seconds, start, together};

on_both!(
    jobs_of_dead_processes_are_taken_back,
    jobs_of_live_processes_are_left_alone,
    a_run_that_ends_clears_the_count_of_dead_workers,
    a_verdict_waits_and_a_death_without_the_job_acquits_it,
    a_worker_that_signs_off_hands_its_jobs_back,
    parked_jobs_wait_for_the_operator,
    a_dead_job_can_be_revived,
    only_untouched_jobs_are_cancelled,
    a_claim_and_a_cancel_never_both_win,
);

async fn register(db: &TestDatabase, id: &str, until: i64) {
    let process = Process {
        id: id.into(),
        kind: "worker".into(),
        host: "host-1".into(),
        version: "0.1.0".into(),
        lanes: Vec::new(),
        started_at: start(),
    };
    processes::register(db.store.conn(), &process, start() + seconds(until), start())
        .await
        .unwrap();
}

async fn jobs_of_dead_processes_are_taken_back(db: &TestDatabase) {
    let conn = db.store.conn();
    register(db, "expired", 10).await;
    register(db, "alive", 60).await;
    let mut held = Vec::new();
    for (number, owner) in [(1, "expired"), (2, "alive"), (3, "unknown")] {
        let id = inserted(&db.store, &job(number)).await;
        held.push((id, claimed(&db.store, id, owner).await.lease));
    }
    let now = start() + seconds(10);
    let mut back = jobs::reclaim(conn, now, now, 10).await.unwrap();
    back.sort_by_key(|it| it.owner.clone());
    let owners: Vec<_> = back
        .iter()
        .map(|it| (it.id, it.owner.as_deref(), it.worker_deaths))
        .collect();
    assert_eq!(
        owners,
        [
            (held[0].0, Some("expired"), 1),
            (held[2].0, Some("unknown"), 1)
        ]
    );
    assert_eq!(back[0].kind, "create_ticket.v1");
    let stored = read(&db.store, held[0].0).await;
    assert_eq!(
        (stored.state, stored.due_at, stored.attempts),
        (JobState::Due, start(), 0),
        "it goes before those that came after it"
    );
    for (id, lease) in &held {
        let kept = lease.owner == "alive";
        assert_eq!(
            jobs::finish(conn, *id, lease, &Ending::Done, now)
                .await
                .unwrap(),
            kept,
            "{}",
            lease.owner
        );
    }
    assert!(
        jobs::reclaim(conn, now, now, 10).await.unwrap().is_empty(),
        "once"
    );
}

async fn jobs_of_live_processes_are_left_alone(db: &TestDatabase) {
    let conn = db.store.conn();
    register(db, "w1", 10).await;
    for number in 0..5 {
        let id = inserted(&db.store, &job(number)).await;
        claimed(&db.store, id, "w1").await;
    }
    assert!(
        jobs::reclaim(conn, start() + seconds(9), start() + seconds(9), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        jobs::reclaim(conn, start() + seconds(10), start() + seconds(10), 3)
            .await
            .unwrap()
            .len(),
        3,
        "no more than the limit"
    );
    assert_eq!(
        jobs::reclaim(conn, start() + seconds(10), start() + seconds(10), 3)
            .await
            .unwrap()
            .len(),
        2
    );
}

/// A job whose worker dies, so many times in a row.
async fn died_over(db: &TestDatabase, id: Uuid, times: i64) {
    let conn = db.store.conn();
    for time in 0..times {
        let now = start() + seconds(3_600 * (time + 1));
        assert_eq!(
            jobs::claim(conn, &[id], "gone", now).await.unwrap().len(),
            1
        );
        assert_eq!(
            jobs::reclaim(conn, now, now, 9).await.unwrap()[0].worker_deaths,
            i32::try_from(time + 1).unwrap()
        );
    }
}

async fn a_run_that_ends_clears_the_count_of_dead_workers(db: &TestDatabase) {
    let conn = db.store.conn();
    let later = start() + seconds(9_000);
    let class = || "server".to_owned();
    let ran = [
        Ending::Done,
        Ending::Retry {
            due_at: later,
            class: class(),
            message: class(),
            uses_attempt: false,
        },
        Ending::Parked {
            reason: class(),
            class: class(),
        },
        Ending::Dead {
            reason: class(),
            class: class(),
        },
        Ending::Cancelled { reason: class() },
    ];
    let not_run = Ending::PutOff {
        due_at: later,
        class: class(),
        message: class(),
    };
    for (number, ending) in (1..).zip(ran.into_iter().chain([not_run])) {
        let id = inserted(&db.store, &job(number)).await;
        died_over(db, id, 2).await;
        let run = jobs::claim(conn, &[id], "w1", later).await.unwrap();
        assert_eq!(run[0].worker_deaths, 2);
        assert!(
            jobs::finish(conn, id, &run[0].lease, &ending, later)
                .await
                .unwrap()
        );
        let left = if let Ending::PutOff { .. } = ending {
            2
        } else {
            0
        };
        let stored = read(&db.store, id).await;
        assert_eq!(
            (stored.worker_deaths, stored.attempts.min(1)),
            (
                left,
                i32::from(matches!(ending, Ending::Done | Ending::Dead { .. }))
            ),
            "{ending:?}"
        );
    }
    let dead = inserted(&db.store, &job(99)).await;
    died_over(db, dead, 2).await;
    let run = jobs::claim(conn, &[dead], "w1", later).await.unwrap();
    let ending = Ending::Dead {
        reason: class(),
        class: class(),
    };
    jobs::finish(conn, dead, &run[0].lease, &ending, later)
        .await
        .unwrap();
    let actor = Actor::Operator("op.one".into());
    assert!(jobs::revive(conn, dead, &actor, later).await.unwrap());
    assert_eq!(read(&db.store, dead).await.worker_deaths, 0);
}

async fn a_verdict_waits_and_a_death_without_the_job_acquits_it(db: &TestDatabase) {
    let conn = db.store.conn();
    let (poison, other) = (
        inserted(&db.store, &job(1)).await,
        inserted(&db.store, &job(2)).await,
    );
    let now = start() + seconds(9_000);
    let later = now + seconds(64);
    died_over(db, poison, 2).await;
    jobs::claim(conn, &[poison], "w1", now).await.unwrap();
    jobs::claim(conn, &[other], "w2", now).await.unwrap();
    assert!(
        jobs::had_suspect(conn, "w1").await.unwrap(),
        "before its jobs are taken back"
    );
    assert!(!jobs::had_suspect(conn, "w2").await.unwrap());
    assert_eq!(jobs::reclaim(conn, now, later, 9).await.unwrap().len(), 2);
    assert!(
        jobs::had_suspect(conn, "w1").await.unwrap(),
        "and afterwards"
    );
    assert!(!jobs::had_suspect(conn, "w2").await.unwrap());
    let stored = read(&db.store, poison).await;
    assert_eq!((stored.worker_deaths, stored.due_at), (3, later));
    assert_eq!(
        stored.last_error.as_deref(),
        Some("its worker w1 fell silent")
    );
    let stored = read(&db.store, other).await;
    assert_eq!((stored.worker_deaths, stored.due_at), (1, start()));

    assert_eq!(jobs::acquit(conn, "w2", now).await.unwrap(), 1);
    let stored = read(&db.store, poison).await;
    assert_eq!((stored.worker_deaths, stored.due_at), (0, now));
    let stored = read(&db.store, other).await;
    assert_eq!(
        stored.worker_deaths, 1,
        "w2 held it: that says nothing for it"
    );
    assert_eq!(jobs::acquit(conn, "w3", now).await.unwrap(), 1);
    let stored = read(&db.store, other).await;
    assert_eq!((stored.worker_deaths, stored.due_at), (0, start()));
}

async fn a_worker_that_signs_off_hands_its_jobs_back(db: &TestDatabase) {
    let conn = db.store.conn();
    register(db, "w1", 60).await;
    let (its, others) = (
        inserted(&db.store, &job(1)).await,
        inserted(&db.store, &job(2)).await,
    );
    let old = claimed(&db.store, its, "w1").await.lease;
    claimed(&db.store, others, "w2").await;
    let now = start() + seconds(5);
    assert_eq!(jobs::hand_back(conn, "w1", now).await.unwrap(), 1);
    let stored = read(&db.store, its).await;
    assert_eq!(
        (stored.state, stored.due_at, stored.worker_deaths),
        (JobState::Due, start(), 0),
        "nobody died"
    );
    assert!(
        !jobs::finish(conn, its, &old, &Ending::Done, now)
            .await
            .unwrap()
    );
    assert_eq!(read(&db.store, others).await.state, JobState::Running);
}

async fn parked_jobs_wait_for_the_operator(db: &TestDatabase) {
    let conn = db.store.conn();
    let park = Ending::Parked {
        reason: "no access".into(),
        class: "auth".into(),
    };
    let mut ids = Vec::new();
    for (number, connection) in [(1, "main"), (2, "main"), (3, "other")] {
        let id = inserted(
            &db.store,
            &NewJob {
                connection: Some(connection.into()),
                ..job(number)
            },
        )
        .await;
        let run = claimed(&db.store, id, "w1").await;
        assert!(
            jobs::finish(conn, id, &run.lease, &park, start())
                .await
                .unwrap()
        );
        ids.push(id);
    }
    let lanes = [
        ("create-ticket@main".to_owned(), 9),
        ("create-ticket@other".to_owned(), 9),
    ];
    assert!(
        jobs::take_due(conn, start() + seconds(99_999), &lanes)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        jobs::unpark(conn, "update-status@main", start())
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        jobs::unpark(conn, "create-ticket@other", start() + seconds(5))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        jobs::unpark(conn, "main", start() + seconds(5))
            .await
            .unwrap(),
        2
    );
    let stored = read(&db.store, ids[0]).await;
    assert_eq!(
        (stored.state, stored.due_at, stored.attempts),
        (JobState::Due, start() + seconds(5), 0)
    );
}

async fn a_dead_job_can_be_revived(db: &TestDatabase) {
    let conn = db.store.conn();
    let id = inserted(&db.store, &job(1)).await;
    let actor = Actor::Operator("op.one".into());
    assert!(
        !jobs::revive(conn, id, &actor, start()).await.unwrap(),
        "it waits already"
    );
    let run = claimed(&db.store, id, "w1").await;
    let dead = Ending::Dead {
        reason: "refused".into(),
        class: "policy".into(),
    };
    assert!(
        jobs::finish(conn, id, &run.lease, &dead, start())
            .await
            .unwrap()
    );

    let second = inserted(&db.store, &job(1)).await;
    assert!(
        !jobs::revive(conn, id, &actor, start()).await.unwrap(),
        "another does its work"
    );
    let run = claimed(&db.store, second, "w1").await;
    assert!(
        jobs::finish(conn, second, &run.lease, &Ending::Done, start())
            .await
            .unwrap()
    );

    assert!(
        jobs::revive(conn, id, &actor, start() + seconds(5))
            .await
            .unwrap()
    );
    let stored = read(&db.store, id).await;
    assert_eq!(
        (stored.state, stored.attempts, stored.due_at),
        (JobState::Due, 0, start() + seconds(5))
    );
    assert_eq!((stored.finished_at, stored.first_started_at), (None, None));
    let trail = audit::of_subject(conn, "job", &id.to_string())
        .await
        .unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (
            trail[0].actor.as_str(),
            trail[0].from.as_deref(),
            trail[0].reason.as_deref()
        ),
        ("operator:op.one", Some("dead"), Some("refused"))
    );
    assert!(
        !jobs::revive(conn, Uuid::from_u128(9), &actor, start())
            .await
            .unwrap()
    );
}

async fn only_untouched_jobs_are_cancelled(db: &TestDatabase) {
    let conn = db.store.conn();
    let cancel = |number| {
        jobs::cancel_unstarted(
            conn,
            Uuid::from_u128(number),
            JobKind::CreateTicket,
            start(),
        )
    };
    assert_eq!(cancel(1).await.unwrap(), Cancel::None);
    let id = inserted(&db.store, &job(1)).await;
    let other = jobs::cancel_unstarted(conn, Uuid::from_u128(1), JobKind::DeliverCallback, start())
        .await
        .unwrap();
    assert_eq!(other, Cancel::None, "kinds are told apart");
    assert_eq!(cancel(1).await.unwrap(), Cancel::Cancelled);
    assert_eq!(read(&db.store, id).await.state, JobState::Cancelled);
    assert_eq!(
        cancel(1).await.unwrap(),
        Cancel::None,
        "nothing is left to cancel"
    );
    assert!(
        jobs::claim(conn, &[id], "w1", start())
            .await
            .unwrap()
            .is_empty(),
        "a late doorbell finds nothing"
    );

    let id = inserted(&db.store, &job(2)).await;
    let run = claimed(&db.store, id, "w1").await;
    assert_eq!(cancel(2).await.unwrap(), Cancel::Started);
    let retry = Ending::Retry {
        due_at: start(),
        class: "server".into(),
        message: "503".into(),
        uses_attempt: true,
    };
    assert!(
        jobs::finish(conn, id, &run.lease, &retry, start())
            .await
            .unwrap()
    );
    assert_eq!(
        cancel(2).await.unwrap(),
        Cancel::Started,
        "it was tried, whatever came of it"
    );
    assert_eq!(read(&db.store, id).await.state, JobState::Due);
}

async fn a_claim_and_a_cancel_never_both_win(db: &TestDatabase) {
    for number in 0..30 {
        let id = inserted(&db.store, &job(number)).await;
        let won = together(&db.store, 2, move |store, side| async move {
            if side == 0 {
                Ok(jobs::claim(store.conn(), &[id], "w1", start()).await?.len() == 1)
            } else {
                let cancel = jobs::cancel_unstarted(
                    store.conn(),
                    Uuid::from_u128(number),
                    JobKind::CreateTicket,
                    start(),
                )
                .await?;
                Ok(cancel == Cancel::Cancelled)
            }
        })
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "job {number}");
    }
}
