use std::collections::HashSet;

use shared::job::{Claimed, ForRequest, JobKind, JobState, Lease, NewJob, Payload};
use shared::store::audit::{self, Actor};
use shared::store::jobs::{self, Cancel, Ending, Job};
use shared::store::processes::{self, Process};
use shared::store::{Store, StoreError};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{create_job, seconds, start, together};

on_both!(
    an_inserted_job_reads_back,
    a_job_for_later_waits_for_the_relay,
    a_live_job_keeps_a_second_one_out,
    a_key_is_free_once_the_job_has_ended,
    a_running_job_that_is_asked_for_again_runs_again,
    each_ending_leaves_its_mark,
    only_the_lease_may_finish,
    four_relays_take_each_job_once,
    two_claimers_never_both_win,
    jobs_are_taken_by_priority_and_age,
    a_lane_gets_no_more_than_its_room,
    what_waits_is_counted_per_lane,
    an_unclaimed_ring_is_rung_again,
    unknown_kinds_are_left_alone,
    jobs_of_dead_processes_are_taken_back,
    jobs_of_live_processes_are_left_alone,
    parked_jobs_wait_for_the_operator,
    a_dead_job_can_be_revived,
    only_untouched_jobs_are_cancelled,
    a_claim_and_a_cancel_never_both_win,
    racing_inserts_leave_one_job,
);

async fn inserted(store: &Store, job: &NewJob) -> Uuid {
    jobs::insert(store.conn(), job, start())
        .await
        .unwrap()
        .expect("no other job holds the key")
        .id
}

async fn read(store: &Store, id: Uuid) -> Job {
    jobs::find(store.conn(), id)
        .await
        .unwrap()
        .expect("the job is there")
}

async fn claimed(store: &Store, id: Uuid, owner: &str) -> Claimed {
    let mut claimed = jobs::claim(store.conn(), &[id], owner, start() + seconds(3_600))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1, "the job can be claimed");
    claimed.remove(0)
}

fn job(number: u128) -> NewJob {
    create_job(Uuid::from_u128(number))
}

async fn an_inserted_job_reads_back(db: &TestDatabase) {
    let new = job(1);
    let queued = jobs::insert(db.store.conn(), &new, start())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (queued.lane.as_str(), queued.kind, queued.rung),
        ("create-ticket@main", JobKind::CreateTicket, true)
    );
    assert_eq!(queued.traceparent, new.traceparent);
    let stored = read(&db.store, queued.id).await;
    assert_eq!(
        (stored.state, stored.rung_at, stored.due_at),
        (JobState::Rung, Some(start()), start())
    );
    assert_eq!(
        (
            stored.kind.as_str(),
            stored.lane.as_str(),
            stored.connection.as_deref()
        ),
        ("create_ticket.v1", "create-ticket@main", Some("main"))
    );
    assert_eq!(
        (
            stored.attempts,
            stored.lease_token,
            stored.worker_deaths,
            stored.lease_owner
        ),
        (0, 0, 0, None)
    );
    assert_eq!(
        Payload::from_json(JobKind::CreateTicket, &stored.payload).unwrap(),
        new.payload
    );
    assert_eq!(
        jobs::of_request(db.store.conn(), Uuid::from_u128(1))
            .await
            .unwrap()[0]
            .id,
        queued.id
    );
    assert_eq!(
        jobs::find(db.store.conn(), Uuid::from_u128(99))
            .await
            .unwrap(),
        None
    );

    let run = claimed(&db.store, queued.id, "w1").await;
    assert_eq!(
        Payload::from_json(run.kind.parse().unwrap(), &run.payload).unwrap(),
        new.payload
    );
    assert_eq!(
        run.lease,
        Lease {
            owner: "w1".into(),
            token: 1
        }
    );
    assert_eq!(
        (run.request_id, run.attempts, run.first_started_at),
        (Some(Uuid::from_u128(1)), 0, start() + seconds(3_600))
    );
    assert_eq!(
        (
            run.traceparent,
            run.connection.as_deref(),
            run.lane.as_str()
        ),
        (new.traceparent, Some("main"), "create-ticket@main")
    );
}

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

async fn a_live_job_keeps_a_second_one_out(db: &TestDatabase) {
    let conn = db.store.conn();
    let first = inserted(&db.store, &job(1)).await;
    assert_eq!(jobs::insert(conn, &job(1), start()).await.unwrap(), None);
    assert_eq!(
        jobs::insert_due(conn, &job(1), start()).await.unwrap(),
        None
    );
    let run = claimed(&db.store, first, "w1").await;
    assert_eq!(jobs::insert(conn, &job(1), start()).await.unwrap(), None);
    let park = Ending::Parked {
        reason: "no access".into(),
        class: "auth".into(),
    };
    assert!(
        jobs::finish(conn, first, &run.lease, &park, start())
            .await
            .unwrap()
    );
    assert_eq!(jobs::insert(conn, &job(1), start()).await.unwrap(), None);
    let free = NewJob {
        dedup_key: None,
        ..job(1)
    };
    inserted(&db.store, &free).await;
    inserted(&db.store, &free).await;
}

async fn a_key_is_free_once_the_job_has_ended(db: &TestDatabase) {
    let conn = db.store.conn();
    let endings = [
        Ending::Done,
        Ending::Dead {
            reason: "refused".into(),
            class: "policy".into(),
        },
        Ending::Cancelled {
            reason: "withdrawn".into(),
        },
    ];
    for ending in endings {
        let id = inserted(&db.store, &job(1)).await;
        let run = claimed(&db.store, id, "w1").await;
        assert!(
            jobs::finish(conn, id, &run.lease, &ending, start())
                .await
                .unwrap()
        );
    }
    inserted(&db.store, &job(1)).await;
}

async fn a_running_job_that_is_asked_for_again_runs_again(db: &TestDatabase) {
    let conn = db.store.conn();
    let id = inserted(&db.store, &job(1)).await;
    let run = claimed(&db.store, id, "w1").await;
    assert_eq!(jobs::insert(conn, &job(1), start()).await.unwrap(), None);
    assert!(read(&db.store, id).await.again);
    let now = start() + seconds(7_200);
    assert!(
        jobs::finish(conn, id, &run.lease, &Ending::Done, now)
            .await
            .unwrap()
    );
    let waiting = read(&db.store, id).await;
    assert_eq!(
        (
            waiting.state,
            waiting.due_at,
            waiting.attempts,
            waiting.again
        ),
        (JobState::Due, now, 0, false)
    );
    assert_eq!(
        (waiting.finished_at, waiting.first_started_at),
        (None, None)
    );

    let run = jobs::claim(conn, &[id], "w1", now).await.unwrap().remove(0);
    assert_eq!((run.lease.token, run.first_started_at), (2, now));
    assert!(
        jobs::finish(conn, id, &run.lease, &Ending::Done, now)
            .await
            .unwrap()
    );
    assert_eq!(
        read(&db.store, id).await.state,
        JobState::Done,
        "nobody has asked since"
    );

    // Asked for before it is claimed: the run that comes sees the newest state anyway.
    let id = inserted(&db.store, &job(1)).await;
    assert_eq!(jobs::insert(conn, &job(1), start()).await.unwrap(), None);
    let run = claimed(&db.store, id, "w1").await;
    assert!(
        jobs::finish(conn, id, &run.lease, &Ending::Done, now)
            .await
            .unwrap()
    );
    assert_eq!(read(&db.store, id).await.state, JobState::Done);
}

async fn each_ending_leaves_its_mark(db: &TestDatabase) {
    let conn = db.store.conn();
    let later = start() + seconds(9_000);
    let end = start() + seconds(3_700);
    let retry = |uses_attempt| Ending::Retry {
        due_at: later,
        class: "server".into(),
        message: "503".into(),
        uses_attempt,
    };
    let id = inserted(&db.store, &job(1)).await;
    let run = claimed(&db.store, id, "w1").await;
    assert!(
        jobs::finish(conn, id, &run.lease, &retry(true), end)
            .await
            .unwrap()
    );
    let waiting = read(&db.store, id).await;
    assert_eq!(
        (
            waiting.state,
            waiting.due_at,
            waiting.attempts,
            waiting.rung_at
        ),
        (JobState::Due, later, 1, None)
    );
    assert_eq!(
        (
            waiting.last_error_class.as_deref(),
            waiting.last_error.as_deref()
        ),
        (Some("server"), Some("503"))
    );
    assert_eq!(
        (
            waiting.first_started_at,
            waiting.finished_at,
            waiting.updated_at
        ),
        (Some(start() + seconds(3_600)), None, end)
    );

    let run = jobs::claim(conn, &[id], "w2", later)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (run.attempts, run.first_started_at, run.lease.token),
        (1, start() + seconds(3_600), 2)
    );
    assert!(
        jobs::finish(conn, id, &run.lease, &retry(false), end)
            .await
            .unwrap()
    );
    assert_eq!(read(&db.store, id).await.attempts, 1, "it used none");

    let run = jobs::claim(conn, &[id], "w2", later)
        .await
        .unwrap()
        .remove(0);
    assert!(
        jobs::finish(conn, id, &run.lease, &Ending::Done, end)
            .await
            .unwrap()
    );
    let done = read(&db.store, id).await;
    assert_eq!(
        (done.state, done.finished_at, done.attempts),
        (JobState::Done, Some(end), 2)
    );
    assert_eq!((done.last_error_class, done.last_error), (None, None));

    for (number, ending, state, error) in [
        (
            2,
            Ending::Parked {
                reason: "no access".into(),
                class: "auth".into(),
            },
            JobState::Parked,
            "no access",
        ),
        (
            3,
            Ending::Dead {
                reason: "refused".into(),
                class: "policy".into(),
            },
            JobState::Dead,
            "refused",
        ),
        (
            4,
            Ending::Cancelled {
                reason: "withdrawn".into(),
            },
            JobState::Cancelled,
            "withdrawn",
        ),
    ] {
        let id = inserted(&db.store, &job(number)).await;
        let run = claimed(&db.store, id, "w1").await;
        assert!(
            jobs::finish(conn, id, &run.lease, &ending, end)
                .await
                .unwrap()
        );
        let stored = read(&db.store, id).await;
        assert_eq!(
            (stored.state, stored.last_error.as_deref()),
            (state, Some(error))
        );
        assert_eq!(stored.finished_at.is_some(), state != JobState::Parked);
        assert_eq!(stored.attempts, i32::from(state == JobState::Dead));
    }
}

async fn only_the_lease_may_finish(db: &TestDatabase) {
    let conn = db.store.conn();
    let id = inserted(&db.store, &job(1)).await;
    let old = claimed(&db.store, id, "w1").await.lease;
    let stranger = Lease {
        owner: "w2".into(),
        token: old.token,
    };
    assert!(
        !jobs::finish(conn, id, &stranger, &Ending::Done, start())
            .await
            .unwrap()
    );
    assert_eq!(
        jobs::reclaim(conn, start() + seconds(3_600), 10)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        !jobs::finish(conn, id, &old, &Ending::Done, start())
            .await
            .unwrap(),
        "it was taken back"
    );
    let new = claimed(&db.store, id, "w1").await.lease;
    assert_eq!(new.token, old.token + 1);
    assert!(
        !jobs::finish(conn, id, &old, &Ending::Done, start())
            .await
            .unwrap(),
        "same owner, old token"
    );
    assert!(
        jobs::finish(conn, id, &new, &Ending::Done, start())
            .await
            .unwrap()
    );
    assert!(
        !jobs::finish(conn, id, &new, &Ending::Done, start())
            .await
            .unwrap(),
        "it has ended"
    );
}

async fn fill(store: &Store, count: u128) {
    let tx = store.begin().await.unwrap();
    for number in 0..count {
        jobs::insert_due(&tx, &job(number), start())
            .await
            .unwrap()
            .unwrap();
    }
    tx.commit().await.unwrap();
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
    assert_eq!((waiting[0].due, waiting[0].rung), (0, 5_000));
}

async fn two_claimers_never_both_win(db: &TestDatabase) {
    fill(&db.store, 400).await;
    let lanes = [("create-ticket@main".to_owned(), 400)];
    let ids: Vec<Uuid> = jobs::take_due(db.store.conn(), start(), &lanes)
        .await
        .unwrap()
        .into_iter()
        .map(|it| it.id)
        .collect();
    let claims = together(&db.store, 4, |store, number| {
        let mut ids = ids.clone();
        // Each claims everything, in pieces of its own size and in an order of its own.
        ids.rotate_left(number * 97);
        if number % 2 == 1 {
            ids.reverse();
        }
        async move {
            let mut mine = Vec::new();
            for some in ids.chunks(7 + number) {
                mine.extend(jobs::claim(store.conn(), some, &format!("w{number}"), start()).await?);
            }
            Ok(mine)
        }
    })
    .await;
    let all: Vec<Claimed> = claims.into_iter().flatten().collect();
    assert_eq!(all.len(), 400);
    assert_eq!(
        all.iter().map(|it| it.id).collect::<HashSet<_>>().len(),
        400
    );
    assert!(all.iter().all(|it| it.lease.token == 1));
    assert!(
        jobs::claim(db.store.conn(), &[], "w9", start())
            .await
            .unwrap()
            .is_empty()
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
        jobs::insert_due(
            conn,
            &NewJob {
                due_at: start() + seconds(due),
                ..job(number)
            },
            start(),
        )
        .await
        .unwrap();
    }
    let rung = inserted(&db.store, &job(4)).await;
    let dead = inserted(&db.store, &job(5)).await;
    let run = claimed(&db.store, dead, "w1").await;
    let ending = Ending::Dead {
        reason: "refused".into(),
        class: "policy".into(),
    };
    jobs::finish(conn, dead, &run.lease, &ending, start())
        .await
        .unwrap();
    let waiting = jobs::lanes_waiting(conn, start() + seconds(10))
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].lane.as_str(), waiting[0].due, waiting[0].rung),
        ("create-ticket@main", 2, 1)
    );
    assert_eq!(waiting[0].oldest_due_at, Some(start() + seconds(3)));
    assert_eq!(
        jobs::lanes_waiting(conn, start()).await.unwrap()[0].oldest_due_at,
        None,
        "rung jobs alone"
    );

    claimed(&db.store, rung, "w1").await;
    let counts = jobs::counts(conn).await.unwrap();
    let counted: Vec<_> = counts
        .iter()
        .map(|it| (it.state, it.count, it.oldest))
        .collect();
    assert_eq!(
        counted,
        [
            (JobState::Dead, 1, Some(start())),
            (JobState::Due, 3, Some(start() + seconds(3))),
            (JobState::Running, 1, Some(start()))
        ]
    );
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

async fn racing_inserts_leave_one_job(db: &TestDatabase) {
    let inserted = together(&db.store, 6, |store, _| async move {
        let tx = store.begin().await?;
        let queued = jobs::insert(&tx, &job(1), start()).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(queued)
    })
    .await;
    assert_eq!(inserted.iter().flatten().count(), 1);
    assert_eq!(
        jobs::of_request(db.store.conn(), Uuid::from_u128(1))
            .await
            .unwrap()
            .len(),
        1
    );
}
