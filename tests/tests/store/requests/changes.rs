//! Changing requests.

use serde_json::json;
use shared::job::{JobKind, JobState};
use shared::request::{Request, RequestState};
use shared::store::audit::{self};
use shared::store::requests::{self, Applied, Change};
use shared::store::{StoreError, jobs, tickets};
use shared::ticket::{Ticket, TicketKind};
use tests::databases::TestDatabase;
use tests::feed;

use super::{WORKER, applied, changed, to};
use crate::{asked, seconds, start, stored_request, together};

on_both!(
    a_change_is_stored_and_told,
    a_change_is_audited,
    a_change_that_changes_nothing_writes_nothing,
    an_illegal_move_is_refused,
    a_stale_change_is_refused,
    two_changers_never_both_win,
    an_extension_keeps_what_was_asked_originally,
    each_change_wants_one_callback,
);

/// Gives a request a ticket that exists.
async fn with_ticket(db: &TestDatabase, request: &Request) {
    let conn = db.store.conn();
    let ticket = tickets::NewTicket {
        request_id: request.id,
        connection: "main".into(),
        kind: TicketKind::Table("incident".into()),
        sys_id: Some("aa".into()),
        correlation_id: "TB-1".into(),
    };
    tickets::insert(conn, &ticket, start()).await.unwrap();
    let before = tickets::of_request(conn, request.id)
        .await
        .unwrap()
        .unwrap();
    let after = Ticket {
        exists: true,
        number: Some("INC0010001".into()),
        ..before.clone()
    };
    let saved = tickets::save(conn, &before, &after, start()).await.unwrap();
    assert_eq!(saved, tickets::Saved::Saved);
}

fn denial() -> Change {
    Change {
        state: Some(RequestState::Denied),
        reason: Some(Some("the role no longer exists".into())),
        attention: Some(Some("look at the catalog".into())),
        ..Change::default()
    }
}

async fn a_change_is_stored_and_told(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = stored_request(db, "R-1", true).await;
    with_ticket(db, &request).await;
    let Applied::Changed(denied, queued) = applied(db, &request, &denial()).await else {
        panic!("it changes")
    };
    let now = start() + seconds(60);
    assert_eq!((denied.state, denied.version), (RequestState::Denied, 2));
    assert_eq!((denied.closed_at, denied.updated_at), (Some(now), now));
    assert_eq!(
        requests::find(conn, request.id).await.unwrap().as_ref(),
        Some(&denied)
    );

    let (_, event) = feed::after(conn, "idm", None, 10)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (event.kind.as_str(), event.timestamp),
        ("request.denied", now)
    );
    assert_eq!((event.data.version, event.data.may_ask_again), (2, true));
    assert_eq!(
        event.data.ticket.unwrap().number.as_deref(),
        Some("INC0010001")
    );

    assert_eq!(queued.len(), 1);
    assert_eq!(
        (queued[0].kind, queued[0].rung),
        (JobKind::DeliverCallback, true)
    );
    let callback = jobs::find(conn, queued[0].id).await.unwrap().unwrap();
    assert_eq!(
        (callback.lane.as_str(), callback.request_id),
        ("callback", Some(request.id))
    );
}

async fn a_change_is_audited(db: &TestDatabase) {
    let request = stored_request(db, "R-1", true).await;
    changed(db, &request, &denial()).await;
    let trail = audit::of_request(db.store.conn(), request.id)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (trail.from.as_deref(), trail.to.as_deref()),
        (Some("accepted"), Some("denied"))
    );
    assert_eq!(trail.reason.as_deref(), Some("the role no longer exists"));
    assert_eq!(
        (trail.actor.as_str(), trail.action.as_str()),
        ("system:worker", "request.moved")
    );
    assert_eq!(trail.at, start() + seconds(60));
    assert_eq!(
        trail.detail,
        json!({"version": 2, "attention": [null, "look at the catalog"]})
    );
}

async fn a_change_that_changes_nothing_writes_nothing(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = stored_request(db, "R-1", true).await;
    let open = changed(db, &request, &to(RequestState::Open)).await;
    for change in [
        Change::default(),
        to(RequestState::Open),
        Change {
            reason: Some(None),
            attention: Some(None),
            ..Change::default()
        },
    ] {
        assert_eq!(
            applied(db, &open, &change).await,
            Applied::Unchanged(open.clone())
        );
    }
    assert_eq!(audit::of_request(conn, request.id).await.unwrap().len(), 2);
    assert_eq!(feed::after(conn, "idm", None, 10).await.unwrap().len(), 2);
}

async fn an_illegal_move_is_refused(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    let done = changed(db, &request, &to(RequestState::Fulfilled)).await;
    let refused = requests::apply(
        db.store.conn(),
        &done,
        &to(RequestState::Open),
        &WORKER,
        "request.moved",
        start(),
    )
    .await;
    assert!(
        matches!(
            refused,
            Err(StoreError::IllegalMove {
                from: RequestState::Fulfilled,
                to: RequestState::Open
            })
        ),
        "{refused:?}"
    );
    assert_eq!(
        requests::find(db.store.conn(), request.id).await.unwrap(),
        Some(done.clone())
    );
    let flag = Change {
        attention: Some(Some("closed twice".into())),
        ..Change::default()
    };
    let flagged = changed(db, &done, &flag).await;
    assert_eq!(
        (flagged.state, flagged.version, flagged.closed_at),
        (RequestState::Fulfilled, 3, done.closed_at),
        "a flag is no move"
    );
}

async fn a_stale_change_is_refused(db: &TestDatabase) {
    let request = stored_request(db, "R-1", true).await;
    let open = changed(db, &request, &to(RequestState::Open)).await;
    assert_eq!(
        applied(db, &request, &to(RequestState::Cancelled)).await,
        Applied::Stale
    );
    assert_eq!(
        requests::find(db.store.conn(), request.id).await.unwrap(),
        Some(open)
    );
    assert_eq!(
        audit::of_request(db.store.conn(), request.id)
            .await
            .unwrap()
            .len(),
        2,
        "a stale change leaves no trace"
    );
    assert_eq!(
        feed::after(db.store.conn(), "idm", None, 10)
            .await
            .unwrap()
            .len(),
        2
    );
}

async fn two_changers_never_both_win(db: &TestDatabase) {
    let mut current = stored_request(db, "R-1", true).await;
    for round in 0..10 {
        let state = if round % 2 == 0 {
            RequestState::InProgress
        } else {
            RequestState::OnHold
        };
        let base = current.clone();
        let results = together(&db.store, 4, move |store, _| {
            let base = base.clone();
            async move {
                let tx = store.begin().await?;
                let applied =
                    requests::apply(&tx, &base, &to(state), &WORKER, "request.moved", start())
                        .await?;
                tx.commit().await?;
                Ok(applied)
            }
        })
        .await;
        let winners: Vec<_> = results
            .iter()
            .filter(|it| matches!(it, Applied::Changed(..)))
            .collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        assert!(
            results
                .iter()
                .all(|it| matches!(it, Applied::Changed(..) | Applied::Stale))
        );
        current = requests::find(db.store.conn(), current.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(current.version, 2 + round);
    }
}

async fn an_extension_keeps_what_was_asked_originally(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    let until = start() + seconds(86_400);
    let extension = Change {
        valid_until: Some(until),
        valid_from: Some(start()),
        ..Change::default()
    };
    let extended = changed(db, &request, &extension).await;
    assert_eq!(
        (extended.asked.valid_until, extended.asked.valid_from),
        (Some(until), Some(start()))
    );
    assert_eq!(
        requests::find(db.store.conn(), request.id).await.unwrap(),
        Some(extended.clone())
    );
    assert_eq!(
        requests::asked_originally(db.store.conn(), request.id)
            .await
            .unwrap(),
        Some(asked("R-1"))
    );
    let detail = audit::of_request(db.store.conn(), request.id)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .detail;
    assert_eq!(detail["valid_until"], json!([null, "2026-03-03T09:00:00Z"]));
    let (_, event) = feed::after(db.store.conn(), "idm", None, 10)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(event.kind, "request.updated");
}

async fn each_change_wants_one_callback(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = stored_request(db, "R-1", true).await;
    let Applied::Changed(open, first) = applied(db, &request, &to(RequestState::Open)).await else {
        panic!("it changes")
    };
    let Applied::Changed(working, second) = applied(db, &open, &to(RequestState::InProgress)).await
    else {
        panic!("it changes")
    };
    assert_eq!(
        (first.len(), second.len()),
        (1, 0),
        "the waiting callback will tell the newest state"
    );
    let run = jobs::claim(conn, &[first[0].id], "w1", start() + seconds(60))
        .await
        .unwrap()
        .remove(0);
    let Applied::Changed(_, third) = applied(db, &working, &to(RequestState::Fulfilled)).await
    else {
        panic!("it changes")
    };
    assert!(third.is_empty());
    assert!(
        jobs::finish(
            conn,
            run.id,
            &run.lease,
            &jobs::Ending::Done,
            start() + seconds(61)
        )
        .await
        .unwrap()
    );
    let callback = jobs::find(conn, run.id).await.unwrap().unwrap();
    assert_eq!(
        callback.state,
        JobState::Due,
        "what changed while it ran is told by another run"
    );

    let silent = stored_request(db, "R-2", false).await;
    let Applied::Changed(_, none) = applied(db, &silent, &to(RequestState::Open)).await else {
        panic!("it changes")
    };
    assert!(none.is_empty());
}
