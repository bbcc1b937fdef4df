//! Taking requests in.

use shared::request::{Asked, RequestState};
use shared::store::audit::{self};
use shared::store::requests::{self, Inserted, NewRequest};
use tests::databases::TestDatabase;
use tests::feed;
use uuid::Uuid;

use super::new;
use crate::{asked, seconds, start, stored_request, together};

on_both!(
    a_new_request_is_stored_whole,
    the_same_key_finds_the_first_request,
    racing_inserts_make_one_request,
    many_requests_are_taken_in_at_once,
    five_hundred_requests_fit_in_a_batch,
    nothing_stays_of_a_transaction_that_is_dropped,
);

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
    let news = feed::after(conn, "idm", None, 10).await.unwrap();
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
        feed::after(db.store.conn(), "idm", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn many_requests_are_taken_in_at_once(db: &TestDatabase) {
    let conn = db.store.conn();
    let old = stored_request(db, "R-1", false).await;
    let later = NewRequest {
        asked: Asked {
            item: "another role".into(),
            ..asked("R-1")
        },
        ..new("R-1")
    };
    let batch = [new("R-2"), later, new("R-3"), new("R-2")];
    let inserted = requests::insert_many(conn, "idm", &batch, start())
        .await
        .unwrap();
    let Ok(
        [
            Inserted::New(second),
            Inserted::Existing(first, before),
            Inserted::New(third),
            Inserted::Existing(twin, _),
        ],
    ) = <[Inserted; 4]>::try_from(inserted)
    else {
        panic!("two are new, one was there, one stands in the batch twice")
    };
    assert_eq!((&first, *before), (&old, asked("R-1")));
    assert_eq!(twin, second);
    for (request, name) in [(&second, "R-2"), (&third, "R-3")] {
        assert_eq!(
            requests::by_natural_key(conn, "idm", name)
                .await
                .unwrap()
                .as_ref(),
            Some(request)
        );
        assert_eq!(audit::of_request(conn, request.id).await.unwrap().len(), 1);
    }
    let told: Vec<_> = feed::after(conn, "idm", None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, event)| event.data.external_id)
        .collect();
    assert_eq!(told, ["R-1", "R-2", "R-3"]);
    assert!(
        requests::insert_many(conn, "idm", &[], start())
            .await
            .unwrap()
            .is_empty()
    );
}

async fn five_hundred_requests_fit_in_a_batch(db: &TestDatabase) {
    let batch: Vec<_> = (0..500).map(|number| new(&format!("R-{number}"))).collect();
    let tx = db.store.begin().await.unwrap();
    let inserted = requests::insert_many(&tx, "idm", &batch, start())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(inserted.iter().all(|it| matches!(it, Inserted::New(_))));
    let again = requests::insert_many(db.store.conn(), "idm", &batch, start())
        .await
        .unwrap();
    assert!(again.iter().all(|it| matches!(it, Inserted::Existing(..))));
}
