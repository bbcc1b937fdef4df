//! Listing requests.

use shared::request::{Asked, RequestState};
use shared::store::requests::{self, Change, Filter, Inserted, ListCursor, NewRequest};
use tests::copies::copies;
use tests::databases::TestDatabase;

use super::{changed, new, to};
use crate::{asked, seconds, start, stored_request};

on_both!(
    pages_follow_each_other_without_gaps,
    filters_narrow_the_list,
    words_are_found_whatever_they_hold,
    words_are_looked_for_in_a_bounded_number,
);

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
        let page = requests::list(conn, &Filter::default(), cursor, 7)
            .await
            .unwrap();
        assert!(page.requests.len() <= 7 && page.looked_back_to.is_none());
        seen.extend(
            page.requests
                .into_iter()
                .map(|request| (request.created_at, request.id)),
        );
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse::<ListCursor>().unwrap());
    }
    assert_eq!(seen, ids);
    let page = requests::list(conn, &Filter::default(), None, 25)
        .await
        .unwrap();
    assert_eq!(
        (page.requests.len(), page.next),
        (25, None),
        "a full last page has no next"
    );
    for bad in ["", "x", "AAAA", "!!"] {
        assert!(bad.parse::<ListCursor>().is_err(), "{bad}");
    }
}

/// Q-77 of the source `hr` in another category, R-1 open, R-2 on hold and flagged.
async fn three_requests(db: &TestDatabase) {
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
    requests::insert(db.store.conn(), &other, start() + seconds(10))
        .await
        .unwrap();
    let one = stored_request(db, "R-1", false).await;
    let two = stored_request(db, "R-2", false).await;
    changed(db, &one, &to(RequestState::Open)).await;
    let flagged = Change {
        attention: Some(Some("unmapped".into())),
        ..to(RequestState::OnHold)
    };
    changed(db, &two, &flagged).await;
}

/// The external ids that a filter lets through.
async fn found(db: &TestDatabase, filter: &Filter) -> String {
    let page = requests::list(db.store.conn(), filter, None, 10)
        .await
        .unwrap();
    let mut ids: Vec<_> = page
        .requests
        .into_iter()
        .map(|it| it.asked.external_id)
        .collect();
    ids.sort();
    ids.join(" ")
}

async fn filters_narrow_the_list(db: &TestDatabase) {
    three_requests(db).await;
    let some = |text: &str| Some(text.to_owned());
    let active = vec![RequestState::Open, RequestState::OnHold];
    let all = Filter::default;
    let expected = [
        (all(), "Q-77 R-1 R-2"),
        (
            Filter {
                source: some("hr"),
                ..all()
            },
            "Q-77",
        ),
        (
            Filter {
                category: some("crm"),
                ..all()
            },
            "Q-77",
        ),
        (
            Filter {
                route: some("sap"),
                ..all()
            },
            "R-1 R-2",
        ),
        (
            Filter {
                external_id: some("R-2"),
                ..all()
            },
            "R-2",
        ),
        (
            Filter {
                requested_for: some("person.nine"),
                ..all()
            },
            "Q-77",
        ),
        (
            Filter {
                state: active.clone(),
                ..all()
            },
            "R-1 R-2",
        ),
        (
            Filter {
                state: active,
                attention: Some(false),
                ..all()
            },
            "R-1",
        ),
        (
            Filter {
                attention: Some(true),
                ..all()
            },
            "R-2",
        ),
        (
            Filter {
                attention: Some(false),
                ..all()
            },
            "Q-77 R-1",
        ),
        (
            Filter {
                created_after: Some(start()),
                ..all()
            },
            "Q-77",
        ),
        (
            Filter {
                created_before: Some(start() + seconds(10)),
                ..all()
            },
            "R-1 R-2",
        ),
        (
            Filter {
                source: some("hr"),
                route: some("sap"),
                ..all()
            },
            "",
        ),
    ];
    for (filter, ids) in expected {
        assert_eq!(found(db, &filter).await, ids, "{filter:?}");
    }
}

async fn words_are_found_whatever_they_hold(db: &TestDatabase) {
    three_requests(db).await;
    let expected = [
        ("z_fi", "R-1 R-2"),
        ("r-1", "R-1"),
        ("50%_OF", "Q-77"),
        ("%", "Q-77"),
        ("f \\a", "Q-77"),
        ("nine", "Q-77"),
        ("nobody", ""),
        ("", "Q-77 R-1 R-2"),
    ];
    for (text, ids) in expected {
        let filter = Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        assert_eq!(found(db, &filter).await, ids, "{text:?}");
    }
}

async fn words_are_looked_for_in_a_bounded_number(db: &TestDatabase) {
    let conn = db.store.conn();
    let old = Asked {
        item: "a needle".into(),
        ..asked("OLD")
    };
    let old = NewRequest {
        asked: old,
        ..new("OLD")
    };
    requests::insert(conn, &old, start()).await.unwrap();
    requests::insert(conn, &new("NEW"), start() + seconds(10))
        .await
        .unwrap();
    // With the one that is copied 50,000 are newer than the one that is looked for.
    copies(&db.store, "NEW", 49_999).await;
    for source in [None, Some("idm".to_owned())] {
        for state in [
            Vec::new(),
            vec![RequestState::Accepted],
            vec![RequestState::Accepted, RequestState::Open],
        ] {
            let needle = Filter {
                text: Some("NEEDLE".into()),
                source: source.clone(),
                state,
                ..Filter::default()
            };
            let page = requests::list(conn, &needle, None, 10).await.unwrap();
            assert_eq!(page.requests, [], "{needle:?}");
            assert_eq!(page.looked_back_to, Some(start() + seconds(10)));
            // The cursor goes on behind the last that was looked at, also from a page of another visit.
            let next = page.next.unwrap().to_string().parse().unwrap();
            let page = requests::list(conn, &needle, Some(next), 10).await.unwrap();
            assert_eq!(page.requests.len(), 1, "{needle:?}");
            assert_eq!((page.next, page.looked_back_to), (None, None));
        }
    }
    // Whoever finds enough is not told of a bound, and other filters have none.
    let common = Filter {
        text: Some("c-1".into()),
        ..Filter::default()
    };
    let page = requests::list(conn, &common, None, 10).await.unwrap();
    assert_eq!((page.requests.len(), page.looked_back_to), (10, None));
    let page = requests::list(conn, &Filter::default(), None, 10).await;
    assert_eq!(page.unwrap().looked_back_to, None);
    // A window of time is looked through from its own beginning.
    let window = Filter {
        text: Some("needle".into()),
        created_before: Some(start() + seconds(5)),
        ..Filter::default()
    };
    let page = requests::list(conn, &window, None, 10).await.unwrap();
    assert_eq!((page.requests.len(), page.next), (1, None));
}
