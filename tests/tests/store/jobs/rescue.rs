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
    let mut back = jobs::reclaim(conn, now, 10).await.unwrap();
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
        (JobState::Due, now, 0)
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
        jobs::reclaim(conn, now, 10).await.unwrap().is_empty(),
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
        jobs::reclaim(conn, start() + seconds(9), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        jobs::reclaim(conn, start() + seconds(10), 3)
            .await
            .unwrap()
            .len(),
        3,
        "no more than the limit"
    );
    assert_eq!(
        jobs::reclaim(conn, start() + seconds(10), 3)
            .await
            .unwrap()
            .len(),
        2
    );
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
