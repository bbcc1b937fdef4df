use shared::store::idempotency::{Remembered, find, remember, sweep};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{seconds, start, together};

on_both!(
    a_key_means_one_call,
    racing_calls_agree_on_one,
    old_keys_are_swept
);

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

async fn a_key_means_one_call(db: &TestDatabase) {
    let conn = db.store.conn();
    assert_eq!(find(conn, "idm", "k", b"body").await.unwrap(), None);
    assert_eq!(
        remember(conn, "idm", "k", b"body", ONE, start())
            .await
            .unwrap(),
        Remembered::New
    );
    assert_eq!(
        remember(conn, "idm", "k", b"body", TWO, start())
            .await
            .unwrap(),
        Remembered::Same(ONE)
    );
    assert_eq!(
        remember(conn, "idm", "k", b"other", TWO, start())
            .await
            .unwrap(),
        Remembered::Different(ONE)
    );
    assert_eq!(
        find(conn, "idm", "k", b"other").await.unwrap(),
        Some(Remembered::Different(ONE))
    );
    assert_eq!(
        remember(conn, "hr", "k", b"other", TWO, start())
            .await
            .unwrap(),
        Remembered::New,
        "keys are per source"
    );
}

async fn racing_calls_agree_on_one(db: &TestDatabase) {
    let answers = together(&db.store, 6, |store, number| async move {
        let tx = store.begin().await?;
        let id = Uuid::from_u128(number as u128 + 10);
        let answer = remember(&tx, "idm", "k", b"body", id, start()).await?;
        tx.commit().await?;
        Ok((id, answer))
    })
    .await;
    let winners: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| *answer == Remembered::New)
        .collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    for (id, answer) in &answers {
        assert!(
            *id == winner || *answer == Remembered::Same(winner),
            "{id} was told {answer:?}"
        );
    }
}

async fn old_keys_are_swept(db: &TestDatabase) {
    let conn = db.store.conn();
    for (second, key) in [(0, "old"), (10, "edge"), (20, "new")] {
        remember(conn, "idm", key, b"body", ONE, start() + seconds(second))
            .await
            .unwrap();
    }
    assert_eq!(sweep(conn, start() + seconds(10)).await.unwrap(), 1);
    assert_eq!(find(conn, "idm", "old", b"body").await.unwrap(), None);
    assert_eq!(
        find(conn, "idm", "edge", b"body").await.unwrap(),
        Some(Remembered::Same(ONE))
    );
}
