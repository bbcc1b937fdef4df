use serde_json::json;
use shared::job::{JobKind, JobState};
use shared::request::{Asked, Request, RequestState};
use shared::store::audit::{self, Actor};
use shared::store::requests::{self, Applied, Change, Filter, Inserted, ListCursor, NewRequest};
use shared::store::{StoreError, events, jobs, tickets};
use shared::ticket::TicketKind;
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{asked, seconds, start, stored_request, together};

on_both!(
    a_new_request_is_stored_whole,
    the_same_key_finds_the_first_request,
    racing_inserts_make_one_request,
    a_change_is_written_with_its_traces,
    a_change_that_changes_nothing_writes_nothing,
    an_illegal_move_is_refused,
    a_stale_change_is_refused,
    two_changers_never_both_win,
    an_extension_keeps_what_was_asked_originally,
    each_change_wants_one_callback,
    pages_follow_each_other_without_gaps,
    filters_narrow_the_list,
    nothing_stays_of_a_transaction_that_is_dropped,
);

fn new(external_id: &str) -> NewRequest {
    NewRequest {
        source: "idm".into(),
        route: "sap".into(),
        asked: asked(external_id),
        has_callback: false,
        actor: "idm".into(),
    }
}

fn to(state: RequestState) -> Change {
    Change {
        state: Some(state),
        ..Change::default()
    }
}

const WORKER: Actor = Actor::System("worker");

async fn applied(db: &TestDatabase, current: &Request, change: &Change) -> Applied {
    let tx = db.store.begin().await.unwrap();
    let applied = requests::apply(
        &tx,
        current,
        change,
        &WORKER,
        "request.moved",
        start() + seconds(60),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    applied
}

async fn changed(db: &TestDatabase, current: &Request, change: &Change) -> Request {
    match applied(db, current, change).await {
        Applied::Changed(request, _) => request,
        other => panic!("expected a change, got {other:?}"),
    }
}

async fn a_new_request_is_stored_whole(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = stored_request(db, "R-1", false).await;
    assert_eq!(
        (request.state, request.version, request.closed_at),
        (RequestState::Accepted, 1, None)
    );
    assert_eq!(request.asked, asked("R-1"));
    assert_eq!(
        requests::find(conn, request.id).await.unwrap().as_ref(),
        Some(&request)
    );
    assert_eq!(
        requests::by_natural_key(conn, "idm", "R-1")
            .await
            .unwrap()
            .as_ref(),
        Some(&request)
    );
    assert_eq!(
        requests::find_of_source(conn, "idm", request.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&request)
    );
    assert_eq!(
        requests::find_of_source(conn, "hr", request.id)
            .await
            .unwrap(),
        None,
        "not its own"
    );
    assert_eq!(
        requests::find(conn, Uuid::from_u128(1)).await.unwrap(),
        None
    );
    assert_eq!(
        requests::asked_originally(conn, request.id).await.unwrap(),
        Some(asked("R-1"))
    );

    let trail = audit::of_request(conn, request.id).await.unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (
            trail[0].action.as_str(),
            trail[0].actor.as_str(),
            trail[0].to.as_deref()
        ),
        ("request.accepted", "source:idm", Some("accepted"))
    );
    let news = events::after(conn, "idm", None, 10).await.unwrap();
    assert_eq!(news.len(), 1);
    assert_eq!(
        (news[0].1.kind.as_str(), news[0].1.data.id),
        ("request.accepted", request.id)
    );
}

async fn the_same_key_finds_the_first_request(db: &TestDatabase) {
    let conn = db.store.conn();
    let first = stored_request(db, "R-1", false).await;
    let later = Asked {
        item: "another role".into(),
        ..asked("R-1")
    };
    let second = requests::insert(
        conn,
        &NewRequest {
            asked: later,
            ..new("R-1")
        },
        start() + seconds(5),
    )
    .await
    .unwrap();
    assert_eq!(
        second,
        Inserted::Existing(first.clone(), Box::new(asked("R-1")))
    );
    assert_eq!(
        audit::of_request(conn, first.id).await.unwrap().len(),
        1,
        "nothing is written for it"
    );
    let other = NewRequest {
        source: "hr".into(),
        ..new("R-1")
    };
    assert!(
        matches!(
            requests::insert(conn, &other, start()).await.unwrap(),
            Inserted::New(_)
        ),
        "keys are per source"
    );
}

async fn racing_inserts_make_one_request(db: &TestDatabase) {
    let results = together(&db.store, 6, |store, _| async move {
        let tx = store.begin().await?;
        let inserted = requests::insert(&tx, &new("R-1"), start()).await?;
        tx.commit().await?;
        Ok(inserted)
    })
    .await;
    assert_eq!(
        results
            .iter()
            .filter(|it| matches!(it, Inserted::New(_)))
            .count(),
        1
    );
    let ids: Vec<Uuid> = results
        .iter()
        .map(|it| match it {
            Inserted::New(r) | Inserted::Existing(r, _) => r.id,
        })
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

async fn a_change_is_written_with_its_traces(db: &TestDatabase) {
    let conn = db.store.conn();
    let request = stored_request(db, "R-1", true).await;
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
    let after = shared::ticket::Ticket {
        exists: true,
        number: Some("INC0010001".into()),
        ..before.clone()
    };
    assert_eq!(
        tickets::save(conn, &before, &after, start()).await.unwrap(),
        tickets::Saved::Saved
    );

    let change = Change {
        state: Some(RequestState::Denied),
        reason: Some(Some("the role no longer exists".into())),
        attention: Some(Some("look at the catalog".into())),
        ..Change::default()
    };
    let Applied::Changed(denied, queued) = applied(db, &request, &change).await else {
        panic!("it changes")
    };
    let now = start() + seconds(60);
    assert_eq!(
        (
            denied.state,
            denied.version,
            denied.closed_at,
            denied.updated_at
        ),
        (RequestState::Denied, 2, Some(now), now)
    );
    assert_eq!(
        requests::find(conn, request.id).await.unwrap().as_ref(),
        Some(&denied)
    );

    let trail = audit::of_request(conn, request.id)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (
            trail.from.as_deref(),
            trail.to.as_deref(),
            trail.reason.as_deref()
        ),
        (
            Some("accepted"),
            Some("denied"),
            Some("the role no longer exists")
        )
    );
    assert_eq!(
        (trail.actor.as_str(), trail.action.as_str(), trail.at),
        ("system:worker", "request.moved", now)
    );
    assert_eq!(
        trail.detail,
        json!({"version": 2, "attention": [null, "look at the catalog"]})
    );

    let (_, event) = events::after(conn, "idm", None, 10)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (
            event.kind.as_str(),
            event.data.version,
            event.data.may_ask_again
        ),
        ("request.denied", 2, true)
    );
    assert_eq!(
        event.data.ticket.unwrap().number.as_deref(),
        Some("INC0010001")
    );

    assert_eq!(queued.len(), 1);
    assert_eq!(
        (queued[0].kind, queued[0].lane.as_str(), queued[0].rung),
        (JobKind::DeliverCallback, "callback", true)
    );
    assert_eq!(
        jobs::find(conn, queued[0].id)
            .await
            .unwrap()
            .unwrap()
            .request_id,
        Some(request.id)
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
    assert_eq!(events::after(conn, "idm", None, 10).await.unwrap().len(), 2);
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
        events::after(db.store.conn(), "idm", None, 10)
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
    let (_, event) = events::after(db.store.conn(), "idm", None, 10)
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

async fn pages_follow_each_other_without_gaps(db: &TestDatabase) {
    let conn = db.store.conn();
    let mut ids = Vec::new();
    for number in 0..25 {
        // Five requests share each moment, so that pages must part them by id.
        let moment = start() + seconds(number / 5);
        let Inserted::New(request) = requests::insert(conn, &new(&format!("R-{number}")), moment)
            .await
            .unwrap()
        else {
            panic!("it is new")
        };
        ids.push((request.created_at, request.id));
    }
    ids.sort_unstable();
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let (page, next) = requests::list(conn, &Filter::default(), cursor, 7)
            .await
            .unwrap();
        assert!(page.len() <= 7);
        seen.extend(
            page.into_iter()
                .map(|request| (request.created_at, request.id)),
        );
        let Some(next) = next else { break };
        cursor = Some(next.to_string().parse::<ListCursor>().unwrap());
    }
    assert_eq!(seen, ids);
    let (page, next) = requests::list(conn, &Filter::default(), None, 25)
        .await
        .unwrap();
    assert_eq!(
        (page.len(), next),
        (25, None),
        "a full last page has no next"
    );
    for bad in ["", "x", "AAAA", "!!"] {
        assert!(bad.parse::<ListCursor>().is_err(), "{bad}");
    }
}

async fn filters_narrow_the_list(db: &TestDatabase) {
    let conn = db.store.conn();
    let special = Asked {
        item: "50%_of \\all".into(),
        category: "crm".into(),
        requested_for: "person.nine".into(),
        ..asked("Q-77")
    };
    let other = NewRequest {
        asked: special,
        route: "crm".into(),
        source: "hr".into(),
        ..new("Q-77")
    };
    requests::insert(conn, &other, start() + seconds(10))
        .await
        .unwrap();
    let one = stored_request(db, "R-1", false).await;
    let two = stored_request(db, "R-2", false).await;
    changed(db, &one, &to(RequestState::Open)).await;
    changed(
        db,
        &two,
        &Change {
            attention: Some(Some("unmapped".into())),
            ..to(RequestState::OnHold)
        },
    )
    .await;
    let found = async |filter: Filter| {
        let (page, _) = requests::list(conn, &filter, None, 10).await.unwrap();
        let mut ids: Vec<_> = page.into_iter().map(|it| it.asked.external_id).collect();
        ids.sort();
        ids.join(" ")
    };
    let some = |text: &str| Some(text.to_owned());
    let all = Filter::default();
    assert_eq!(found(all.clone()).await, "Q-77 R-1 R-2");
    assert_eq!(
        found(Filter {
            source: some("hr"),
            ..all.clone()
        })
        .await,
        "Q-77"
    );
    assert_eq!(
        found(Filter {
            category: some("crm"),
            ..all.clone()
        })
        .await,
        "Q-77"
    );
    assert_eq!(
        found(Filter {
            route: some("sap"),
            ..all.clone()
        })
        .await,
        "R-1 R-2"
    );
    assert_eq!(
        found(Filter {
            external_id: some("R-2"),
            ..all.clone()
        })
        .await,
        "R-2"
    );
    assert_eq!(
        found(Filter {
            requested_for: some("person.nine"),
            ..all.clone()
        })
        .await,
        "Q-77"
    );
    assert_eq!(
        found(Filter {
            state: vec![RequestState::Open, RequestState::OnHold],
            ..all.clone()
        })
        .await,
        "R-1 R-2"
    );
    assert_eq!(
        found(Filter {
            attention: Some(true),
            ..all.clone()
        })
        .await,
        "R-2"
    );
    assert_eq!(
        found(Filter {
            attention: Some(false),
            ..all.clone()
        })
        .await,
        "Q-77 R-1"
    );
    assert_eq!(
        found(Filter {
            created_after: Some(start()),
            ..all.clone()
        })
        .await,
        "Q-77"
    );
    assert_eq!(
        found(Filter {
            created_before: Some(start() + seconds(10)),
            ..all.clone()
        })
        .await,
        "R-1 R-2"
    );
    assert_eq!(
        found(Filter {
            source: some("idm"),
            state: vec![RequestState::Open],
            ..all.clone()
        })
        .await,
        "R-1"
    );
    for (text, expected) in [
        ("z_fi", "R-1 R-2"),
        ("r-1", "R-1"),
        ("50%_OF", "Q-77"),
        ("%", "Q-77"),
        ("f \\a", "Q-77"),
        ("nine", "Q-77"),
        ("nobody", ""),
        ("", "Q-77 R-1 R-2"),
    ] {
        assert_eq!(
            found(Filter {
                text: some(text),
                ..all.clone()
            })
            .await,
            expected,
            "{text:?}"
        );
    }
}

async fn nothing_stays_of_a_transaction_that_is_dropped(db: &TestDatabase) {
    let tx = db.store.begin().await.unwrap();
    assert!(matches!(
        requests::insert(&tx, &new("R-1"), start()).await.unwrap(),
        Inserted::New(_)
    ));
    drop(tx);
    assert_eq!(
        requests::by_natural_key(db.store.conn(), "idm", "R-1")
            .await
            .unwrap(),
        None
    );
    assert!(
        events::after(db.store.conn(), "idm", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
