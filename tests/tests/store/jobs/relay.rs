//! What the relay takes and rings again.

use std::collections::HashSet;

use shared::job::{ForRequest, JobState, NewJob, Payload};
use shared::store::jobs::{self, Ending};
use tests::databases::TestDatabase;
use uuid::Uuid;

use super::{claimed, fill, inserted, job, read};
use crate::{seconds, start, together};

on_both!(
    a_job_for_later_waits_for_the_relay,
    four_relays_take_each_job_once,
    jobs_are_taken_by_priority_and_age,
    a_lane_gets_no_more_than_its_room,
    what_waits_is_counted_per_lane,
    a_long_backlog_is_counted_up_to_a_bound,
    an_unclaimed_ring_is_rung_again,
    unknown_kinds_are_left_alone,
);

async fn a_job_for_later_waits_for_the_relay(db: &TestDatabase) {
    let conn = db.store.conn();
    let later = NewJob {
        due_at: start() + seconds(10),
        ..job(1)
    };
    let queued = jobs::insert(conn, &later, start()).await.unwrap().unwrap();
    assert!(!queued.rung);
    assert!(
        jobs::claim(conn, &[queued.id], "w1", start() + seconds(9))
            .await
            .unwrap()
            .is_empty(),
        "an early doorbell"
    );
    let lanes = [("create-ticket@main".to_owned(), 10)];
    assert!(
        jobs::take_due(conn, start() + seconds(9), &lanes)
            .await
            .unwrap()
            .is_empty()
    );
    let taken = jobs::take_due(conn, start() + seconds(10), &lanes)
        .await
        .unwrap();
    assert_eq!(
        taken.iter().map(|it| (it.id, it.rung)).collect::<Vec<_>>(),
        [(queued.id, true)]
    );
    assert_eq!(
        read(&db.store, queued.id).await.rung_at,
        Some(start() + seconds(10))
    );

    let deep = jobs::insert_due(conn, &job(2), start())
        .await
        .unwrap()
        .unwrap();
    assert!(!deep.rung);
    assert_eq!(read(&db.store, deep.id).await.state, JobState::Due);
}

async fn four_relays_take_each_job_once(db: &TestDatabase) {
    fill(&db.store, 5_000).await;
    let taken = together(&db.store, 4, |store, _| async move {
        let mut mine = Vec::new();
        loop {
            let some = jobs::take_due(
                store.conn(),
                start(),
                &[("create-ticket@main".to_owned(), 100)],
            )
            .await?;
            if some.is_empty() {
                return Ok(mine);
            }
            assert!(some.len() <= 100);
            mine.extend(some.into_iter().map(|job| job.id));
        }
    })
    .await;
    let all: Vec<Uuid> = taken.into_iter().flatten().collect();
    assert_eq!(all.len(), 5_000, "each is taken");
    assert_eq!(
        all.iter().collect::<HashSet<_>>().len(),
        5_000,
        "and only once"
    );
    let waiting = jobs::lanes_waiting(db.store.conn(), start()).await.unwrap();
    assert_eq!(
        (waiting[0].due, waiting[0].rung),
        (0, 2_000),
        "2,000 or more"
    );
}

async fn jobs_are_taken_by_priority_and_age(db: &TestDatabase) {
    let mut expected = Vec::new();
    for (place, number, priority, due) in [
        (3, 1, 3, 0),
        (0, 2, 1, 5),
        (2, 3, 2, 4),
        (1, 4, 2, 2),
        (4, 5, 3, 1),
    ] {
        let new = NewJob {
            priority,
            due_at: start() + seconds(due),
            ..job(number)
        };
        let queued = jobs::insert_due(db.store.conn(), &new, start())
            .await
            .unwrap()
            .unwrap();
        expected.push((place, queued.id));
    }
    expected.sort_unstable();
    let lanes = [("create-ticket@main".to_owned(), 3)];
    let now = start() + seconds(10);
    let mut order: Vec<_> = jobs::take_due(db.store.conn(), now, &lanes).await.unwrap();
    order.extend(jobs::take_due(db.store.conn(), now, &lanes).await.unwrap());
    assert_eq!(
        order.iter().map(|it| it.id).collect::<Vec<_>>(),
        expected.iter().map(|it| it.1).collect::<Vec<_>>()
    );
}

async fn a_lane_gets_no_more_than_its_room(db: &TestDatabase) {
    fill(&db.store, 10).await;
    let callback = NewJob {
        payload: Payload::DeliverCallback(ForRequest {
            request_id: Uuid::from_u128(1),
        }),
        connection: None,
        dedup_key: None,
        ..job(1)
    };
    for _ in 0..3 {
        jobs::insert_due(db.store.conn(), &callback, start())
            .await
            .unwrap();
    }
    let lanes = [
        ("create-ticket@main".to_owned(), 4),
        ("callback".to_owned(), 9),
        ("update-status@main".to_owned(), 0),
    ];
    let taken = jobs::take_due(db.store.conn(), start(), &lanes)
        .await
        .unwrap();
    assert_eq!(
        taken
            .iter()
            .filter(|it| it.lane == "create-ticket@main")
            .count(),
        4
    );
    assert_eq!(taken.iter().filter(|it| it.lane == "callback").count(), 3);
}

async fn what_waits_is_counted_per_lane(db: &TestDatabase) {
    let conn = db.store.conn();
    assert!(jobs::lanes_waiting(conn, start()).await.unwrap().is_empty());
    for (number, due) in [(1, 5), (2, 3), (3, 9_000)] {
        let later = NewJob {
            due_at: start() + seconds(due),
            ..job(number)
        };
        jobs::insert_due(conn, &later, start()).await.unwrap();
    }
    let callback = NewJob {
        payload: Payload::DeliverCallback(ForRequest {
            request_id: Uuid::from_u128(1),
        }),
        connection: None,
        dedup_key: None,
        ..job(1)
    };
    inserted(&db.store, &callback).await;
    let elsewhere = NewJob {
        connection: Some("other".into()),
        ..job(6)
    };
    let running = inserted(&db.store, &elsewhere).await;
    claimed(&db.store, running, "w1").await;
    inserted(&db.store, &job(4)).await;
    let dead = inserted(&db.store, &job(5)).await;
    let run = claimed(&db.store, dead, "w1").await;
    let ending = Ending::Dead {
        reason: "refused".into(),
        class: "policy".into(),
    };
    assert!(
        jobs::finish(conn, dead, &run.lease, &ending, start())
            .await
            .unwrap()
    );

    let waiting = async |at: i64| {
        let waiting = jobs::lanes_waiting(conn, start() + seconds(at))
            .await
            .unwrap();
        let lanes: Vec<_> = waiting
            .into_iter()
            .map(|it| (it.lane, it.due, it.rung))
            .collect();
        lanes
    };
    let (callback, create) = ("callback".to_owned(), "create-ticket@main".to_owned());
    assert_eq!(
        waiting(0).await,
        [(callback.clone(), 0, 1), (create.clone(), 0, 1)]
    );
    assert_eq!(
        waiting(10).await,
        [(callback, 0, 1), (create.clone(), 2, 1)]
    );

    let counts = jobs::counts(conn).await.unwrap();
    let counted: Vec<_> = counts
        .iter()
        .filter(|it| it.lane == create)
        .map(|it| (it.state, it.count, it.oldest))
        .collect();
    assert_eq!(
        counted,
        [
            (JobState::Dead, 1, None),
            (JobState::Due, 3, Some(start() + seconds(3))),
            (JobState::Rung, 1, Some(start()))
        ]
    );
}

async fn a_long_backlog_is_counted_up_to_a_bound(db: &TestDatabase) {
    fill(&db.store, 2_100).await;
    let waiting = jobs::lanes_waiting(db.store.conn(), start()).await.unwrap();
    assert_eq!((waiting[0].due, waiting[0].rung), (2_000, 0));
}

async fn an_unclaimed_ring_is_rung_again(db: &TestDatabase) {
    let conn = db.store.conn();
    let (silent, claimed_one) = (
        inserted(&db.store, &job(1)).await,
        inserted(&db.store, &job(2)).await,
    );
    claimed(&db.store, claimed_one, "w1").await;
    let again = |before: i64, now: i64| {
        let lane = "create-ticket@main";
        jobs::ring_again(
            conn,
            lane,
            start() + seconds(before),
            start() + seconds(now),
            10,
        )
    };
    assert!(again(0, 5).await.unwrap().is_empty(), "rung just now");
    assert_eq!(
        again(1, 5)
            .await
            .unwrap()
            .iter()
            .map(|it| (it.id, it.rung))
            .collect::<Vec<_>>(),
        [(silent, true)]
    );
    assert!(again(5, 6).await.unwrap().is_empty(), "rung at 5");
    assert_eq!(again(6, 7).await.unwrap().len(), 1);
    assert!(
        jobs::ring_again(
            conn,
            "callback",
            start() + seconds(99),
            start() + seconds(99),
            10
        )
        .await
        .unwrap()
        .is_empty()
    );
    fill(&db.store, 0).await;
    for number in 10..20 {
        inserted(&db.store, &job(number)).await;
    }
    assert_eq!(
        jobs::ring_again(
            conn,
            "create-ticket@main",
            start() + seconds(1),
            start() + seconds(9),
            4
        )
        .await
        .unwrap()
        .len(),
        4
    );
}

async fn unknown_kinds_are_left_alone(db: &TestDatabase) {
    use sea_orm::ConnectionTrait;
    let conn = db.store.conn();
    let (due, rung) = (
        jobs::insert_due(conn, &job(1), start())
            .await
            .unwrap()
            .unwrap()
            .id,
        inserted(&db.store, &job(2)).await,
    );
    conn.execute_unprepared("UPDATE jobs SET kind = 'create_ticket.v9'")
        .await
        .unwrap();
    let later = start() + seconds(60);
    assert!(
        jobs::take_due(conn, later, &[("create-ticket@main".to_owned(), 9)])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        jobs::ring_again(conn, "create-ticket@main", later, later, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(read(&db.store, due).await.kind, "create_ticket.v9");
    let run = claimed(&db.store, rung, "w1").await;
    assert_eq!(
        run.kind, "create_ticket.v9",
        "whoever claims it by its doorbell sees the word and hands it back"
    );
}
