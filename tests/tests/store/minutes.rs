//! What was done in each minute: folded from what jobs leave, once, whoever folds and whatever appears late.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::figures::Figures;
use shared::job::{ForRequest, JobKind, NewJob, Payload};
use shared::store::attempts::{self, CallRecord, NewAttempt};
use shared::store::audit::{self, Actor, Entry};
use shared::store::minutes::{self, Span};
use shared::store::{Store, StoreError, jobs};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{create_job, seconds, start, together};

on_both!(
    a_minute_holds_what_was_done_in_it,
    many_schedulers_fold_each_minute_once,
    a_scheduler_that_dies_over_a_minute_leaves_it_to_the_next,
    what_appears_late_is_counted_all_the_same,
    hours_without_a_scheduler_are_caught_up_with,
    what_waits_is_counted_once_when_a_minute_ends,
    work_that_begins_anew_is_timed_from_its_last_end,
    a_job_that_was_cancelled_is_counted_where_it_ended,
    what_is_old_is_forgotten,
);

fn minute(number: i64) -> DateTime<Utc> {
    start() + TimeDelta::minutes(number)
}

/// Stores a job that creates a ticket; its id.
async fn stored(db: &TestDatabase, number: u128, at: DateTime<Utc>) -> Uuid {
    let job = NewJob {
        due_at: at,
        ..create_job(Uuid::from_u128(number))
    };
    let queued = jobs::insert(db.store.conn(), &job, at).await.unwrap();
    queued.expect("its key is free").id
}

/// A run of a job that ended so and made a call of 40 ms.
fn run(job_id: Uuid, outcome: &str, at: DateTime<Utc>) -> NewAttempt {
    NewAttempt {
        job_id,
        request_id: None,
        number: 1,
        token: 1,
        worker: "worker-1".into(),
        started_at: at,
        finished_at: at,
        outcome: outcome.into(),
        class: None,
        http_status: Some(201),
        transaction_id: None,
        message: None,
        calls: vec![CallRecord {
            method: "POST".into(),
            path: "/api/now/table/incident".into(),
            status: Some(201),
            class: "ok".into(),
            transaction_id: None,
            duration_ms: 40,
        }],
    }
}

async fn ended(db: &TestDatabase, job: Uuid, outcome: &str, at: DateTime<Utc>) {
    attempts::insert(db.store.conn(), &run(job, outcome, at))
        .await
        .unwrap();
}

/// Folds what is to be folded; which minutes.
async fn fold_all(store: &Store, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, StoreError> {
    let mut folded = Vec::new();
    loop {
        let tx = store.begin().await?;
        let Some(minute) = minutes::fold(&tx, now).await? else {
            // Dropped, it would keep the turn for a moment longer, and the next fold would leave it to this one.
            tx.rollback().await.map_err(StoreError::from)?;
            return Ok(folded);
        };
        tx.commit().await.map_err(StoreError::from)?;
        folded.push(minute);
    }
}

async fn spans(db: &TestDatabase, width: i16, lane: Option<&str>) -> Vec<Span> {
    let (from, until) = (minute(-2_000), minute(20_000));
    minutes::read(db.store.conn(), width, lane, from, until)
        .await
        .unwrap()
}

/// All that was done, as the spans of a width have it.
async fn sum(db: &TestDatabase, width: i16) -> Figures {
    let mut sum = Figures::default();
    for span in spans(db, width, None).await {
        sum.add(&span.figures);
    }
    sum
}

async fn a_minute_holds_what_was_done_in_it(db: &TestDatabase) {
    let first = stored(db, 1, minute(0)).await;
    let second = stored(db, 2, minute(0) + seconds(59)).await;
    ended(db, first, "retry", minute(0) + seconds(2)).await;
    ended(db, first, "done", minute(0) + seconds(3)).await;
    ended(db, second, "dead", minute(1)).await;
    let none = fold_all(&db.store, minute(2) - seconds(1)).await.unwrap();
    assert_eq!(
        none,
        Vec::<DateTime<Utc>>::new(),
        "its transactions may still be under way"
    );
    let folded = fold_all(&db.store, minute(3)).await.unwrap();
    assert_eq!(folded, [minute(0), minute(1)]);
    let lane = spans(db, 1, Some("create-ticket@main")).await;
    assert_eq!(lane, spans(db, 1, None).await);
    let zeroth = &lane[0].figures;
    assert_eq!(
        (zeroth.created, zeroth.attempts, zeroth.done, zeroth.dead),
        (2, 2, 1, 0)
    );
    assert_eq!((zeroth.tickets, zeroth.retried), (1, 1));
    assert_eq!(
        (zeroth.latency.count, zeroth.latency.sum_ms),
        (1, 3_000),
        "from the storing of the job to its end"
    );
    assert_eq!((zeroth.calls.count, zeroth.calls.mean_ms()), (2, Some(40)));
    let other = &lane[1].figures;
    assert_eq!(
        (other.created, other.dead, other.latency.sum_ms),
        (0, 1, 1_000)
    );
    let nothing = spans(db, 1, Some("callback")).await;
    assert_eq!(nothing.len(), 2, "known, and nothing");
    assert_eq!(nothing[0].figures, Figures::default());
    for width in [15, 60] {
        let long = spans(db, width, None).await;
        assert_eq!((long.len(), long[0].minutes), (1, 2));
        assert_eq!(sum(db, width).await, sum(db, 1).await);
    }
}

async fn many_schedulers_fold_each_minute_once(db: &TestDatabase) {
    for number in 0..40 {
        let at = minute(0) + seconds(20 * number);
        let job = stored(db, u128::from(number.unsigned_abs()), at).await;
        ended(db, job, "done", at + seconds(1)).await;
    }
    let tries = together(&db.store, 6, |store, _| async move {
        let mut folded = Vec::new();
        // Who finds the turn taken comes again.
        for _ in 0..40 {
            folded.extend(fold_all(&store, minute(20)).await?);
        }
        Ok(folded)
    })
    .await;
    let mut folded: Vec<_> = tries.into_iter().flatten().collect();
    folded.extend(fold_all(&db.store, minute(20)).await.unwrap());
    folded.sort_unstable();
    let each: Vec<_> = (0..19).map(minute).collect();
    assert_eq!(folded, each);
    for width in [1, 15, 60] {
        let sum = sum(db, width).await;
        assert_eq!((sum.created, sum.done, sum.latency.count), (40, 40, 40));
        assert_eq!(sum.latency.sum_ms, 40_000, "{width}");
    }
}

async fn a_scheduler_that_dies_over_a_minute_leaves_it_to_the_next(db: &TestDatabase) {
    let job = stored(db, 1, minute(0)).await;
    ended(db, job, "done", minute(0)).await;
    let dying = db.store.begin().await.unwrap();
    let folded = minutes::fold(&dying, minute(2)).await.unwrap();
    assert_eq!(folded, Some(minute(0)));
    drop(dying);
    assert!(spans(db, 1, None).await.is_empty());
    let folded = fold_all(&db.store, minute(2)).await.unwrap();
    assert_eq!(folded, [minute(0)]);
    for width in [1, 15, 60] {
        assert_eq!(sum(db, width).await.done, 1);
    }
}

async fn what_appears_late_is_counted_all_the_same(db: &TestDatabase) {
    let job = stored(db, 1, minute(0)).await;
    ended(db, job, "done", minute(0)).await;
    fold_all(&db.store, minute(2)).await.unwrap();
    // It took its time before the fold, and committed after it.
    ended(db, job, "retry", minute(0) + seconds(59)).await;
    fold_all(&db.store, minute(17) - seconds(1)).await.unwrap();
    assert_eq!(sum(db, 60).await.attempts, 1);
    let folded = fold_all(&db.store, minute(17)).await.unwrap();
    assert_eq!(folded[..], [minute(15), minute(0)]);
    for width in [1, 15, 60] {
        let sum = sum(db, width).await;
        assert_eq!((sum.attempts, sum.done, sum.created), (2, 1, 1), "{width}");
    }
    assert_eq!(
        spans(db, 15, None).await[0].minutes,
        15,
        "no minute is counted twice"
    );
    // What a worker could not write for hours stands in the minute in which it was written.
    let late = NewAttempt {
        finished_at: minute(0),
        ..run(job, "parked", minute(0))
    };
    attempts::insert_all(db.store.conn(), &[&late], minute(100))
        .await
        .unwrap();
    fold_all(&db.store, minute(102)).await.unwrap();
    let last = spans(db, 1, None).await.pop().unwrap();
    assert_eq!((last.begins_at, last.figures.parked), (minute(100), 1));
}

async fn hours_without_a_scheduler_are_caught_up_with(db: &TestDatabase) {
    let job = stored(db, 1, minute(0)).await;
    ended(db, job, "retry", minute(0)).await;
    minutes::count(&db.store, minute(1)).await.unwrap();
    fold_all(&db.store, minute(2)).await.unwrap();
    // Workers go on with what is rung.
    ended(db, job, "done", minute(200)).await;
    fold_all(&db.store, minute(302)).await.unwrap();
    let all = spans(db, 1, None).await;
    assert_eq!(all.len(), 301);
    assert!(all.iter().all(|span| span.minutes == 1));
    assert_eq!(all[200].figures.done, 1);
    assert_eq!(all[200].figures.latency.max_ms, 200 * 60_000);
    assert!(all[0].backlog.is_some());
    assert!(
        all[1..].iter().all(|span| span.backlog.is_none()),
        "nobody has counted, so nobody knows"
    );
    assert_eq!(sum(db, 60).await.done, 1);
    // What lies too far back is left out.
    let back = minute(0) + minutes::KEPT + TimeDelta::hours(6);
    let tx = db.store.begin().await.unwrap();
    let next = minutes::fold(&tx, back).await.unwrap();
    assert_eq!(next, Some(back - minutes::KEPT + TimeDelta::hours(1)));
}

async fn what_waits_is_counted_once_when_a_minute_ends(db: &TestDatabase) {
    let conn = db.store.conn();
    for number in 1..=3 {
        stored(db, number, minute(0)).await;
    }
    let callback = NewJob {
        payload: Payload::DeliverCallback(ForRequest {
            request_id: Uuid::from_u128(1),
        }),
        connection: None,
        dedup_key: None,
        due_at: minute(60),
        ..create_job(Uuid::from_u128(1))
    };
    jobs::insert(conn, &callback, minute(0)).await.unwrap();
    let at = minute(1) + seconds(3);
    let counted = together(&db.store, 4, |store, _| async move {
        minutes::count(&store, at).await
    })
    .await;
    assert_eq!(counted.into_iter().filter(|first| *first).count(), 1);
    fold_all(&db.store, minute(2)).await.unwrap();
    let told = |span: &Span| {
        let backlog = span.backlog.expect("somebody has counted");
        (backlog.waiting, backlog.oldest_ms)
    };
    for width in [1, 15, 60] {
        let all = spans(db, width, None).await;
        assert_eq!(told(&all[0]), (4, 63_000), "{width}");
        assert_eq!(all[0].figures.created, 4);
        let callbacks = spans(db, width, Some("callback")).await;
        assert_eq!(told(&callbacks[0]), (1, 0), "its time has not come");
        let updates = spans(db, width, Some("update-status@main")).await;
        assert_eq!(told(&updates[0]), (0, 0), "known, and nothing");
    }
}

async fn work_that_begins_anew_is_timed_from_its_last_end(db: &TestDatabase) {
    let conn = db.store.conn();
    let job = stored(db, 1, minute(0)).await;
    ended(db, job, "done", minute(0) + seconds(10)).await;
    let again = NewAttempt {
        token: 2,
        ..run(job, "done", minute(0) + seconds(14))
    };
    attempts::insert(conn, &again).await.unwrap();
    fold_all(&db.store, minute(2)).await.unwrap();
    let latency = &spans(db, 1, None).await[0].figures.latency;
    assert_eq!((latency.count, latency.sum_ms), (2, 14_000));
}

async fn a_job_that_was_cancelled_is_counted_where_it_ended(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = Uuid::from_u128(7);
    let by_its_source = stored(db, 7, minute(0)).await;
    stored(db, 8, minute(0)).await;
    // The audit entry takes its time a moment before, in the minute before.
    let at = minute(3);
    jobs::cancel_unstarted(conn, request, JobKind::CreateTicket, at)
        .await
        .unwrap();
    let entry = Entry {
        actor: &Actor::Source("idm".into()),
        action: "request.cancelled",
        subject_kind: "request",
        subject_id: &request.to_string(),
        from: Some("accepted"),
        to: Some("cancelled"),
        reason: None,
        detail: serde_json::Value::Null,
    };
    audit::append(conn, &entry, at - seconds(1)).await.unwrap();
    let both = Entry {
        action: "job.cancelled",
        subject_kind: "job",
        subject_id: &by_its_source.to_string(),
        ..entry
    };
    audit::append(conn, &both, at).await.unwrap();
    fold_all(&db.store, minute(6)).await.unwrap();
    let counts: Vec<u64> = spans(db, 1, Some("create-ticket@main"))
        .await
        .iter()
        .map(|span| span.figures.cancelled)
        .collect();
    assert_eq!(counts, [0, 0, 0, 1, 0]);
}

async fn what_is_old_is_forgotten(db: &TestDatabase) {
    stored(db, 1, minute(0)).await;
    fold_all(&db.store, minute(150)).await.unwrap();
    let day = minute(0) + minutes::KEPT;
    let hours = |count| day + Duration::from_hours(count);
    assert_eq!(minutes::forget(&db.store, hours(0)).await.unwrap(), 0);
    assert_eq!(minutes::forget(&db.store, hours(2)).await.unwrap(), 60);
    assert_eq!(minutes::forget(&db.store, hours(2)).await.unwrap(), 60);
    assert_eq!(minutes::forget(&db.store, hours(2)).await.unwrap(), 0);
    let left = spans(db, 1, None).await;
    assert_eq!((left.len(), left[0].begins_at), (29, minute(120)));
    assert_eq!(spans(db, 60, None).await.len(), 1);
    assert_eq!(
        minutes::folded_until(db.store.conn()).await.unwrap(),
        Some(minute(149))
    );
}
