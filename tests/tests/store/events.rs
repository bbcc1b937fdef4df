use shared::event::RequestEvent;
use shared::request::Request;
use shared::store::events::{self, FeedCursor};
use shared::store::{Store, StoreError};
use tests::databases::{Flavour, TestDatabase, fresh};
use tests::feed;

use crate::{start, stored_request, together};

on_both!(
    the_feed_is_read_in_pages,
    feeds_are_per_source,
    concurrent_writers_and_readers_skip_nothing
);

async fn append(
    conn: &impl sea_orm::ConnectionTrait,
    request: &Request,
    number: i64,
) -> Result<(), StoreError> {
    let news = Request {
        version: number,
        ..request.clone()
    };
    events::append(
        conn,
        "feed",
        request.id,
        &RequestEvent::of(&news, None, None),
        start(),
    )
    .await
}

async fn versions(store: &Store, cursor: &mut Option<FeedCursor>, limit: u64) -> Vec<i64> {
    let page = feed::after(store.conn(), "feed", *cursor, limit)
        .await
        .unwrap();
    *cursor = page.last().map_or(*cursor, |(last, _)| Some(*last));
    page.into_iter()
        .map(|(_, event)| event.data.version)
        .collect()
}

async fn the_feed_is_read_in_pages(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    assert_eq!(events::latest(db.store.conn(), "feed").await.unwrap(), None);
    for number in 1..=7 {
        append(db.store.conn(), &request, number).await.unwrap();
    }
    let mut cursor = None;
    assert_eq!(versions(&db.store, &mut cursor, 3).await, [1, 2, 3]);
    assert_eq!(versions(&db.store, &mut cursor, 3).await, [4, 5, 6]);
    let kept: FeedCursor = cursor.unwrap().to_string().parse().unwrap();
    cursor = Some(kept);
    assert_eq!(versions(&db.store, &mut cursor, 3).await, [7]);
    assert!(versions(&db.store, &mut cursor, 3).await.is_empty());
    assert_eq!(
        events::latest(db.store.conn(), "feed").await.unwrap(),
        cursor
    );
    assert_eq!(
        versions(&db.store, &mut None, 100).await,
        [1, 2, 3, 4, 5, 6, 7],
        "the order never changes"
    );
    for bad in ["", "x", "AAAA", "%%%"] {
        assert_eq!(bad.parse::<FeedCursor>(), Err(events::BadCursor));
    }
}

async fn feeds_are_per_source(db: &TestDatabase) {
    let request = stored_request(db, "R-1", false).await;
    append(db.store.conn(), &request, 1).await.unwrap();
    let of_idm = feed::after(db.store.conn(), "idm", None, 10).await.unwrap();
    assert_eq!(of_idm.len(), 1);
    assert_eq!(
        of_idm[0].1,
        RequestEvent::of(&request, None, None),
        "what went in comes out"
    );
    assert!(
        feed::after(db.store.conn(), "hr", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn concurrent_writers_and_readers_skip_nothing(db: &TestDatabase) {
    const EACH: i64 = 100;
    let request = stored_request(db, "R-1", false).await;
    let results = together(&db.store, 6, move |store, number| {
        let request = request.clone();
        async move {
            let number = i64::try_from(number).unwrap();
            let mut seen = Vec::new();
            if number < 4 {
                for count in 0..EACH {
                    let tx = store.begin().await?;
                    append(&tx, &request, number * EACH + count).await?;
                    tokio::task::yield_now().await;
                    tx.commit().await?;
                }
            } else {
                let mut cursor = None;
                while seen.len() < usize::try_from(4 * EACH).unwrap() {
                    seen.extend(versions(&store, &mut cursor, 17).await);
                }
            }
            Ok(seen)
        }
    })
    .await;
    let readers: Vec<_> = results
        .into_iter()
        .filter(|seen| !seen.is_empty())
        .collect();
    assert_eq!(readers.len(), 2);
    assert_eq!(readers[0], readers[1], "both read the same order");
    let mut sorted = readers[0].clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..4 * EACH).collect::<Vec<_>>(), "each once");
    for writer in 0..4 {
        let own: Vec<_> = readers[0]
            .iter()
            .filter(|version| **version / EACH == writer)
            .collect();
        assert!(
            own.is_sorted(),
            "what one writer wrote in turn is read in turn"
        );
    }
}

/// SQLite has one writer, so only PostgreSQL can commit out of order.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_is_not_skipped_on_postgres() {
    let db = fresh(Flavour::Postgres).await;
    let request = stored_request(&db, "R-1", false).await;
    let slow = db.store.begin().await.unwrap();
    append(&slow, &request, 1).await.unwrap();
    let quick = db.store.begin().await.unwrap();
    append(&quick, &request, 2).await.unwrap();
    quick.commit().await.unwrap();
    let mut cursor = None;
    assert_eq!(
        versions(&db.store, &mut cursor, 10).await,
        [2],
        "an open transaction holds nobody up"
    );
    slow.commit().await.unwrap();
    assert_eq!(
        versions(&db.store, &mut cursor, 10).await,
        [1],
        "and is not skipped"
    );
    assert_eq!(versions(&db.store, &mut None, 10).await, [2, 1]);
}

/// A reader in the middle of giving positions holds the next one up until its positions can be seen.
#[tokio::test(flavor = "multi_thread")]
async fn readers_take_turns_on_postgres() {
    let db = fresh(Flavour::Postgres).await;
    let request = stored_request(&db, "R-1", false).await;
    append(db.store.conn(), &request, 1).await.unwrap();
    let first = db.store.begin().await.unwrap();
    assert_eq!(
        feed::after(&first, "feed", None, 10).await.unwrap().len(),
        1
    );
    append(db.store.conn(), &request, 2).await.unwrap();
    let store = db.store.clone();
    let mut second = tokio::task::JoinSet::new();
    second.spawn(async move { versions(&store, &mut None, 10).await });
    // The second reader waits for the first. Once the server says so, the first commits.
    until_somebody_waits_for_a_lock(&db.store).await;
    first.commit().await.unwrap();
    assert_eq!(second.join_next().await.unwrap().unwrap(), [1, 2]);
}

async fn until_somebody_waits_for_a_lock(store: &Store) {
    use sea_orm::{ConnectionTrait, Statement};
    let sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    loop {
        let statement = Statement::from_string(store.conn().get_database_backend(), sql);
        let row = store
            .conn()
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap();
        if row.try_get_by_index::<i64>(0).unwrap() > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}
