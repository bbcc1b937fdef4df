use shared::job::Lease;
use shared::store::attempts::{CallRecord, NewAttempt, insert, of_job, of_request};
use shared::store::{jobs, new_id, notes};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{create_job, seconds, start, stored_request};

on_both!(
    attempts_read_back_in_order,
    notes_are_marked_before_and_after_they_are_sent
);

async fn attempts_read_back_in_order(db: &TestDatabase) {
    let (job, request) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let call = CallRecord {
        method: "POST".into(),
        path: "/api/now/table/incident".into(),
        status: Some(503),
        class: "server".into(),
        transaction_id: Some("abc".into()),
        duration_ms: 1_250,
    };
    let attempt = |token: i64| NewAttempt {
        job_id: job,
        request_id: Some(request),
        number: i32::try_from(token).unwrap(),
        token,
        worker: "worker-1".into(),
        started_at: start() + seconds(token),
        finished_at: start() + seconds(token + 1),
        outcome: "retry".into(),
        class: Some("server".into()),
        http_status: Some(503),
        transaction_id: Some("abc".into()),
        message: Some("the instance answered 503".into()),
        calls: vec![
            call.clone(),
            CallRecord {
                status: None,
                ..call.clone()
            },
        ],
    };
    for token in [2, 1] {
        insert(db.store.conn(), &attempt(token)).await.unwrap();
    }
    let rows = of_job(db.store.conn(), job).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.token).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rows[0].calls, attempt(1).calls);
    assert_eq!((rows[0].http_status, rows[0].number), (Some(503), 1));
    assert_eq!(
        (rows[0].started_at, rows[0].finished_at),
        (start() + seconds(1), start() + seconds(2))
    );
    assert_eq!(of_request(db.store.conn(), request).await.unwrap(), rows);
    assert!(
        of_request(db.store.conn(), Uuid::from_u128(3))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn notes_are_marked_before_and_after_they_are_sent(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    let note = |second: i64, text: &str| notes::Note {
        id: new_id(start() + seconds(second)),
        request_id: request.id,
        author: "requester.one".into(),
        text: text.into(),
        visible: second == 1,
        marker: format!("[tb:{second}]"),
        first_sent_at: None,
        last_sent_at: None,
        sent_at: None,
        created_at: start() + seconds(second),
    };
    let (first, second) = (note(1, "please hurry"), note(2, "internal"));
    let conn = db.store.conn();
    notes::insert(conn, &second).await.unwrap();
    notes::insert(conn, &first).await.unwrap();
    assert_eq!(
        notes::pending(conn, request.id).await.unwrap(),
        [first.clone(), second.clone()]
    );

    let job = jobs::insert(conn, &create_job(request.id), start())
        .await
        .unwrap()
        .unwrap()
        .id;
    let lease = claimed(db, job, "w1").await;
    let mark = |id: Uuid, lease: Lease, at: i64| async move {
        notes::mark_sending(conn, id, &lease, job, start() + seconds(at))
            .await
            .unwrap()
    };
    assert!(mark(first.id, lease.clone(), 10).await);
    assert!(mark(first.id, lease.clone(), 20).await);
    let pending = notes::pending(conn, request.id).await.unwrap();
    assert_eq!(
        (pending[0].first_sent_at, pending[0].last_sent_at),
        (Some(start() + seconds(10)), Some(start() + seconds(20)))
    );
    notes::mark_refused(conn, &first).await.unwrap();
    let pending = notes::pending(conn, request.id).await.unwrap();
    assert_eq!(pending[0], first, "as it was before it was refused");
    jobs::reclaim(conn, start(), start(), 10).await.unwrap();
    let other = claimed(db, job, "w2").await;
    assert!(
        !mark(first.id, lease.clone(), 25).await,
        "another worker has the job"
    );
    assert!(mark(first.id, other.clone(), 26).await);

    notes::mark_sent(conn, first.id, start() + seconds(30))
        .await
        .unwrap();
    notes::mark_sent(conn, first.id, start() + seconds(40))
        .await
        .unwrap();
    assert_eq!(
        notes::pending(conn, request.id).await.unwrap(),
        std::slice::from_ref(&second)
    );
    assert!(
        !mark(first.id, other.clone(), 50).await,
        "it is in the journal"
    );
    assert!(
        !mark(Uuid::from_u128(9), other, 50).await,
        "there is no such note"
    );
    notes::mark_refused(conn, &first).await.unwrap();
    let all = notes::of_request(conn, request.id).await.unwrap();
    assert_eq!(all[0].sent_at, Some(start() + seconds(30)));
    assert_eq!(all[1], second);
}

async fn claimed(db: &TestDatabase, job: Uuid, owner: &str) -> Lease {
    jobs::claim(db.store.conn(), &[job], owner, start())
        .await
        .unwrap()
        .remove(0)
        .lease
}
