//! A job from its insertion to its end.

use std::collections::HashSet;

use shared::job::{Claimed, JobKind, JobState, Lease, NewJob, Payload};
use shared::store::StoreError;
use shared::store::jobs::{self, Ending};
use tests::databases::TestDatabase;
use uuid::Uuid;

use super::{claimed, fill, inserted, job, read};
use crate::{seconds, start, together};

on_both!(
    an_inserted_job_reads_back,
    a_live_job_keeps_a_second_one_out,
    a_key_is_free_once_the_job_has_ended,
    racing_inserts_leave_one_job,
    a_running_job_that_is_asked_for_again_runs_again,
    a_retry_keeps_what_happened,
    each_ending_leaves_its_mark,
    only_the_lease_may_finish,
    two_claimers_never_both_win,
    many_jobs_are_inserted_at_once,
    a_key_is_live_until_its_job_has_ended,
);

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

async fn a_retry_keeps_what_happened(db: &TestDatabase) {
    let conn = db.store.conn();
    let (later, end) = (start() + seconds(9_000), start() + seconds(3_700));
    let retry = |uses_attempt| Ending::Retry {
        due_at: later,
        class: "server".into(),
        message: "503".into(),
        uses_attempt,
    };
    let id = inserted(&db.store, &job(1)).await;
    let first = claimed(&db.store, id, "w1").await;
    let began = first.first_started_at;
    assert!(
        jobs::finish(conn, id, &first.lease, &retry(true), end)
            .await
            .unwrap()
    );
    let waiting = read(&db.store, id).await;
    assert_eq!(
        (waiting.state, waiting.due_at, waiting.attempts),
        (JobState::Due, later, 1)
    );
    assert_eq!(
        (waiting.rung_at, waiting.finished_at, waiting.updated_at),
        (None, None, end)
    );
    assert_eq!(waiting.last_error_class.as_deref(), Some("server"));
    assert_eq!(waiting.last_error.as_deref(), Some("503"));

    let second = jobs::claim(conn, &[id], "w2", later)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (second.attempts, second.first_started_at, second.lease.token),
        (1, began, 2)
    );
    assert!(
        jobs::finish(conn, id, &second.lease, &retry(false), end)
            .await
            .unwrap()
    );
    assert_eq!(read(&db.store, id).await.attempts, 1, "it used none");

    let third = jobs::claim(conn, &[id], "w2", later)
        .await
        .unwrap()
        .remove(0);
    assert!(
        jobs::finish(conn, id, &third.lease, &Ending::Done, end)
            .await
            .unwrap()
    );
    let done = read(&db.store, id).await;
    assert_eq!(
        (done.state, done.finished_at, done.attempts),
        (JobState::Done, Some(end), 2)
    );
    assert_eq!((done.last_error_class, done.last_error), (None, None));
}

async fn each_ending_leaves_its_mark(db: &TestDatabase) {
    let (reason, class) = ("why".to_owned(), "policy".to_owned());
    let endings = [
        (
            Ending::Parked {
                reason: reason.clone(),
                class: class.clone(),
            },
            JobState::Parked,
        ),
        (
            Ending::Dead {
                reason: reason.clone(),
                class,
            },
            JobState::Dead,
        ),
        (Ending::Cancelled { reason }, JobState::Cancelled),
    ];
    for (number, (ending, state)) in (1..).zip(endings) {
        let id = inserted(&db.store, &job(number)).await;
        let lease = claimed(&db.store, id, "w1").await.lease;
        assert!(
            jobs::finish(db.store.conn(), id, &lease, &ending, start())
                .await
                .unwrap()
        );
        let stored = read(&db.store, id).await;
        assert_eq!(
            (stored.state, stored.last_error.as_deref()),
            (state, Some("why"))
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
        jobs::reclaim(conn, start() + seconds(3_600), start() + seconds(3_600), 10)
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

async fn many_jobs_are_inserted_at_once(db: &TestDatabase) {
    let conn = db.store.conn();
    let batch = [(job(1), true), (job(2), false), (job(3), true)];
    let queued = jobs::insert_many(conn, &batch, start()).await.unwrap();
    let flags: Vec<_> = queued.iter().map(|it| it.rung).collect();
    assert_eq!(flags, [true, false, true]);
    for (queued, (new, rung)) in queued.iter().zip(&batch) {
        let stored = read(&db.store, queued.id).await;
        let state = if *rung { JobState::Rung } else { JobState::Due };
        assert_eq!((stored.state, stored.rung_at), (state, rung.then(start)));
        assert_eq!(
            (stored.request_id, stored.dedup_key),
            (new.request_id, new.dedup_key.clone())
        );
    }
    assert!(
        jobs::insert_many(conn, &[], start())
            .await
            .unwrap()
            .is_empty()
    );
    let again = jobs::insert_many(conn, &[(job(4), true), (job(2), true)], start()).await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
    assert!(
        jobs::of_request(conn, Uuid::from_u128(4))
            .await
            .unwrap()
            .is_empty(),
        "all or nothing"
    );
}

async fn a_key_is_live_until_its_job_has_ended(db: &TestDatabase) {
    let conn = db.store.conn();
    let new = job(1);
    let key = new.dedup_key.clone().unwrap();
    assert!(!jobs::is_live(conn, &key).await.unwrap());
    let id = inserted(&db.store, &new).await;
    assert!(jobs::is_live(conn, &key).await.unwrap());
    assert!(!jobs::is_live(conn, "another").await.unwrap());
    let lease = claimed(&db.store, id, "w1").await.lease;
    assert!(jobs::is_live(conn, &key).await.unwrap());
    assert!(
        jobs::finish(conn, id, &lease, &Ending::Done, start())
            .await
            .unwrap()
    );
    assert!(!jobs::is_live(conn, &key).await.unwrap());
}
