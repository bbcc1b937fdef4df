use shared::job::Lease;
use shared::request::{Request, RequestState};
use shared::state_map::Decided;
use shared::store::audit::Actor;
use shared::store::jobs;
use shared::store::requests::{self, Applied, Change};
use shared::store::tickets::{self, NewTicket, OpenTable, Saved};
use shared::ticket::{Ticket, TicketKind};
use tests::databases::{Flavour, TestDatabase, fresh};
use uuid::Uuid;

use crate::{create_job, seconds, start, stored_request, together};

on_both!(
    a_ticket_reads_back_whole,
    a_save_names_what_it_replaces,
    two_savers_never_both_win,
    the_write_ahead_needs_the_lease,
    records_are_found_by_their_ids,
    watched_tickets_come_in_pages,
    an_ended_request_is_watched_until_its_end_is_written,
    many_tickets_are_stored_and_found_at_once,
);

fn new_ticket(request: &Request, table: &str, sys_id: &str) -> NewTicket {
    NewTicket {
        request_id: request.id,
        connection: "main".into(),
        kind: TicketKind::Table(table.into()),
        sys_id: Some(sys_id.into()),
        correlation_id: format!("TB-{sys_id}"),
    }
}

async fn read(db: &TestDatabase, request: &Request) -> Ticket {
    tickets::of_request(db.store.conn(), request.id)
        .await
        .unwrap()
        .expect("the ticket is there")
}

async fn save(db: &TestDatabase, before: &Ticket, after: &Ticket) -> Saved {
    tickets::save(db.store.conn(), before, after, start())
        .await
        .unwrap()
}

async fn stored(db: &TestDatabase, external_id: &str) -> (Request, Ticket) {
    let request = stored_request(db, external_id, false).await;
    tickets::insert(
        db.store.conn(),
        &new_ticket(&request, "incident", external_id),
        start(),
    )
    .await
    .unwrap();
    let ticket = read(db, &request).await;
    (request, ticket)
}

fn full(before: &Ticket) -> Ticket {
    let some = |text: &str| Some(text.to_owned());
    Ticket {
        exists: true,
        sys_id: some("bb"),
        number: some("RITM0010001"),
        order_number: some("REQ0010001"),
        order_sys_id: some("cc"),
        state: some("2"),
        approval: some("approved"),
        stage: some("fulfillment"),
        close_code: some("Solved"),
        close_notes: some("given\nas asked"),
        assigned_to: some("Agent One"),
        assignment_group: some("Access Team"),
        mod_count: Some(7),
        remote_updated_on: some("2026-03-02 09:00:00"),
        written_version: Some(4),
        maybe_sent_at: Some(start() + seconds(1)),
        checked_at: Some(start() + seconds(2)),
        given_up_at: Some(start() + seconds(3)),
        decided: Some(Decided {
            map: "0123456789abcdef".into(),
            rule: some("states_in.\"2\""),
            state: Some(RequestState::InProgress),
            at: start() + seconds(2),
        }),
        ..before.clone()
    }
}

async fn a_ticket_reads_back_whole(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    let new = NewTicket {
        kind: TicketKind::CatalogItem("0123456789abcdef0123456789abcdef".into()),
        sys_id: None,
        ..new_ticket(&request, "", "")
    };
    tickets::insert(db.store.conn(), &new, start())
        .await
        .unwrap();
    let ticket = read(db, &request).await;
    assert_eq!(
        (&ticket.kind, &ticket.sys_id, ticket.exists),
        (&new.kind, &None, false)
    );
    assert_eq!(
        (
            ticket.connection.as_str(),
            ticket.correlation_id.as_str(),
            ticket.kind.table()
        ),
        ("main", "TB-", "sc_req_item")
    );
    let full = full(&ticket);
    assert_eq!(save(db, &ticket, &full).await, Saved::Saved);
    assert_eq!(read(db, &request).await, full);
    assert_eq!(
        save(db, &full, &ticket).await,
        Saved::Saved,
        "fields can be cleared again"
    );
    assert_eq!(read(db, &request).await, ticket);
    assert_eq!(
        tickets::of_request(db.store.conn(), Uuid::from_u128(1))
            .await
            .unwrap(),
        None
    );
}

async fn a_save_names_what_it_replaces(db: &TestDatabase) {
    let (_, before) = stored(db, "R-1").await;
    let full = full(&before);
    assert_eq!(save(db, &before, &full).await, Saved::Saved);
    assert_eq!(save(db, &before, &full).await, Saved::Stale);
    // A difference in any single field is noticed, from and to empty.
    let wrong = [
        Ticket {
            state: None,
            ..full.clone()
        },
        Ticket {
            state: Some("3".into()),
            ..full.clone()
        },
        Ticket {
            mod_count: Some(8),
            ..full.clone()
        },
        Ticket {
            checked_at: Some(start()),
            ..full.clone()
        },
        Ticket {
            given_up_at: None,
            ..full.clone()
        },
        Ticket {
            decided: None,
            ..full.clone()
        },
        Ticket {
            exists: false,
            ..full.clone()
        },
        Ticket {
            close_notes: Some("given".into()),
            ..full.clone()
        },
    ];
    for other in wrong {
        assert_eq!(save(db, &other, &before).await, Saved::Stale, "{other:?}");
    }
    // Moments finer than a microsecond cannot be stored, and do not make a ticket look changed.
    let fine = Ticket {
        checked_at: Some(start() + chrono::TimeDelta::nanoseconds(1_234_567)),
        ..full.clone()
    };
    assert_eq!(save(db, &full, &fine).await, Saved::Saved);
    assert_eq!(save(db, &fine, &before).await, Saved::Saved);
}

async fn two_savers_never_both_win(db: &TestDatabase) {
    let (request, mut current) = stored(db, "R-1").await;
    for round in 0..10 {
        let base = current.clone();
        let results = together(&db.store, 4, move |store, number| {
            let base = base.clone();
            async move {
                let number = i64::try_from(number).unwrap();
                let after = Ticket {
                    mod_count: Some(round * 10 + number),
                    ..base.clone()
                };
                tickets::save(store.conn(), &base, &after, start()).await
            }
        })
        .await;
        assert_eq!(
            results.iter().filter(|it| **it == Saved::Saved).count(),
            1,
            "round {round}"
        );
        current = read(db, &request).await;
    }
}

async fn the_write_ahead_needs_the_lease(db: &TestDatabase) {
    let conn = db.store.conn();
    let (request, _) = stored(db, "R-1").await;
    let job = jobs::insert(conn, &create_job(request.id), start())
        .await
        .unwrap()
        .unwrap()
        .id;
    let nobody = Lease {
        owner: "w1".into(),
        token: 1,
    };
    let mark = |lease: Lease, at: i64| async move {
        tickets::mark_maybe_sent(conn, request.id, &lease, job, start() + seconds(at))
            .await
            .unwrap()
    };
    assert!(!mark(nobody.clone(), 1).await, "nobody has claimed it");
    let first = jobs::claim(conn, &[job], "w1", start())
        .await
        .unwrap()
        .remove(0)
        .lease;
    assert!(mark(first.clone(), 2).await);
    assert_eq!(
        tickets::of_request(conn, request.id)
            .await
            .unwrap()
            .unwrap()
            .maybe_sent_at,
        Some(start() + seconds(2))
    );
    assert!(mark(first.clone(), 3).await);
    let marked = tickets::of_request(conn, request.id)
        .await
        .unwrap()
        .unwrap()
        .maybe_sent_at;
    assert_eq!(marked, Some(start() + seconds(3)), "the newest send counts");
    jobs::reclaim(conn, start(), start(), 10).await.unwrap();
    assert!(!mark(first.clone(), 4).await, "the job was taken back");
    let second = jobs::claim(conn, &[job], "w2", start())
        .await
        .unwrap()
        .remove(0)
        .lease;
    assert!(!mark(first, 5).await, "another holds it");
    assert!(
        !mark(
            Lease {
                owner: "w1".into(),
                ..second.clone()
            },
            6
        )
        .await
    );
    assert!(mark(second, 7).await);
}

async fn records_are_found_by_their_ids(db: &TestDatabase) {
    let conn = db.store.conn();
    let (one, ticket) = stored(db, "R-1").await;
    stored(db, "R-2").await;
    let mut ids: Vec<String> = (0..2_500)
        .map(|number| format!("nothing-{number}"))
        .collect();
    ids.push("R-1".into());
    let found = tickets::with_sys_ids(conn, "main", "incident", &ids)
        .await
        .unwrap();
    assert_eq!(found, [(ticket, one)]);
    assert!(
        tickets::with_sys_ids(conn, "other", "incident", &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tickets::with_sys_ids(conn, "main", "problem", &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tickets::with_sys_ids(conn, "main", "incident", &[])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn moved(db: &TestDatabase, request: &Request, state: RequestState) -> Request {
    let change = Change {
        state: Some(state),
        ..Change::default()
    };
    let applied = requests::apply(
        db.store.conn(),
        request,
        &change,
        &Actor::System("worker"),
        "request.moved",
        start(),
    )
    .await;
    match applied.unwrap() {
        Applied::Changed(request, _) => request,
        other => panic!("expected a change, got {other:?}"),
    }
}

/// The requests whose tickets are watched, page by page.
async fn watched(db: &TestDatabase) -> Vec<Uuid> {
    let mut seen: Vec<Uuid> = Vec::new();
    loop {
        let after = seen.last().copied();
        let page = tickets::open_page(db.store.conn(), "main", "incident", after, 3)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        assert!(
            page.iter()
                .all(|(ticket, request)| ticket.request_id == request.id)
        );
        seen.extend(page.iter().map(|(ticket, _)| ticket.request_id));
    }
    let tables = tickets::open_tables(db.store.conn()).await.unwrap();
    let open: u64 = tables.iter().map(|table| table.open).sum();
    assert_eq!(open, seen.len() as u64, "tables and pages agree");
    let any = tickets::any_open(db.store.conn(), "main", "incident");
    assert_eq!(any.await.unwrap(), !seen.is_empty());
    seen
}

/// A request whose ticket exists, with what was last written to it.
async fn existing(db: &TestDatabase, name: &str, written: Option<i64>) -> (Request, Ticket) {
    let (request, before) = stored(db, name).await;
    let after = Ticket {
        exists: true,
        written_version: written,
        ..before.clone()
    };
    assert_eq!(save(db, &before, &after).await, Saved::Saved);
    (request, after)
}

async fn watched_tickets_come_in_pages(db: &TestDatabase) {
    stored(db, "not-yet-there").await;
    let (_, given_up) = existing(db, "given-up", None).await;
    let after = Ticket {
        given_up_at: Some(start()),
        ..given_up.clone()
    };
    assert_eq!(save(db, &given_up, &after).await, Saved::Saved);
    let mut expected = Vec::new();
    for number in 0..8 {
        expected.push(existing(db, &format!("R-{number}"), None).await.0.id);
    }
    expected.sort_unstable();
    assert_eq!(watched(db).await, expected);
    let tables = tickets::open_tables(db.store.conn()).await.unwrap();
    assert_eq!(
        tables,
        [OpenTable {
            connection: "main".into(),
            table: "incident".into(),
            open: 8
        }]
    );
    let other = tickets::open_page(db.store.conn(), "main", "problem", None, 9)
        .await
        .unwrap();
    assert!(other.is_empty());
}

async fn an_ended_request_is_watched_until_its_end_is_written(db: &TestDatabase) {
    let finals = RequestState::ALL
        .into_iter()
        .filter(|state| state.is_final());
    for (number, end) in finals.enumerate() {
        let (untold, _) = existing(db, &format!("untold-{number}"), None).await;
        moved(db, &untold, end).await;
        assert!(
            watched(db).await.is_empty(),
            "{end}: its end came from the ticket"
        );

        let (told, _) = existing(db, &format!("told-{number}"), Some(2)).await;
        moved(db, &told, end).await;
        assert!(watched(db).await.is_empty(), "{end}: version 2 was written");

        let (owed, before) = existing(db, &format!("owed-{number}"), Some(1)).await;
        moved(db, &owed, end).await;
        assert_eq!(
            watched(db).await,
            [owed.id],
            "{end}: version 2 is still to be written"
        );
        let after = Ticket {
            written_version: Some(2),
            ..before.clone()
        };
        assert_eq!(save(db, &before, &after).await, Saved::Saved);
        assert!(watched(db).await.is_empty(), "{end}: it is written");
    }
    let (open, before) = existing(db, "open", Some(1)).await;
    let after = Ticket {
        written_version: Some(9),
        ..before.clone()
    };
    assert_eq!(save(db, &before, &after).await, Saved::Saved);
    assert_eq!(
        watched(db).await,
        [open.id],
        "a request that has not ended stays watched"
    );
}

async fn many_tickets_are_stored_and_found_at_once(db: &TestDatabase) {
    let conn = db.store.conn();
    let mut new = Vec::new();
    for number in 0..5 {
        let request = stored_request(db, &format!("R-{number}"), false).await;
        new.push(new_ticket(&request, "incident", &format!("s{number}")));
    }
    tickets::insert_many(conn, &new, start()).await.unwrap();
    tickets::insert_many(conn, &[], start()).await.unwrap();
    let mut ids: Vec<Uuid> = (0..2_500).map(Uuid::from_u128).collect();
    ids.extend(new.iter().map(|it| it.request_id));
    let found = tickets::of_requests(conn, &ids).await.unwrap();
    let mut sys_ids: Vec<_> = found.into_iter().map(|it| it.sys_id.unwrap()).collect();
    sys_ids.sort();
    assert_eq!(sys_ids, ["s0", "s1", "s2", "s3", "s4"]);
    assert!(tickets::of_requests(conn, &[]).await.unwrap().is_empty());
}

/// Between the write-ahead and its commit nobody else gets the job, so whoever gets it sees the mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_not_taken_back_under_a_write_ahead_on_postgres() {
    let db = fresh(Flavour::Postgres).await;
    let (request, _) = stored(&db, "R-1").await;
    let conn = db.store.conn();
    let job = jobs::insert(conn, &create_job(request.id), start())
        .await
        .unwrap()
        .unwrap()
        .id;
    let lease = jobs::claim(conn, &[job], "w1", start())
        .await
        .unwrap()
        .remove(0)
        .lease;
    let tx = db.store.begin().await.unwrap();
    let marked = tickets::mark_maybe_sent(&tx, request.id, &lease, job, start());
    assert!(marked.await.unwrap());
    assert!(
        jobs::reclaim(conn, start(), start(), 10)
            .await
            .unwrap()
            .is_empty(),
        "w1 is on no list, but its write is under way"
    );
    tx.commit().await.unwrap();
    assert_eq!(
        jobs::reclaim(conn, start(), start(), 10)
            .await
            .unwrap()
            .len(),
        1
    );
    jobs::claim(conn, &[job], "w2", start()).await.unwrap();
    assert_eq!(read(&db, &request).await.maybe_sent_at, Some(start()));
}
