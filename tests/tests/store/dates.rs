//! Moments are compared as text on SQLite, so their text order must be their order.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement};
use shared::store::requests::{Filter, Inserted, NewRequest, insert, list};
use tests::databases::TestDatabase;

use crate::{asked, start};

on_both!(
    mixed_fractions_keep_their_order,
    moments_come_back_as_they_went_in
);

/// Whole seconds, milliseconds and microseconds, in the order of time.
fn mixed() -> Vec<DateTime<Utc>> {
    [
        0, 1, 10, 999, 1_000, 1_001, 500_000, 500_001, 510_000, 999_999, 1_000_000, 1_000_010,
        59_999_999, 60_000_000,
    ]
    .into_iter()
    .map(|micros| start() + TimeDelta::microseconds(micros))
    .collect()
}

async fn mixed_fractions_keep_their_order(db: &TestDatabase) {
    let moments = mixed();
    // Inserted in an order that is neither that of time nor its reverse.
    for index in [7, 0, 12, 3, 9, 1, 13, 5, 11, 2, 10, 4, 8, 6] {
        let new = NewRequest {
            source: "idm".to_owned(),
            route: "sap".to_owned(),
            asked: asked(&format!("R-{index}")),
            has_callback: false,
            actor: "idm".to_owned(),
        };
        assert!(matches!(
            insert(db.store.conn(), &new, moments[index]).await.unwrap(),
            Inserted::New(_)
        ));
    }
    let page = list(db.store.conn(), &Filter::default(), None, 100)
        .await
        .unwrap();
    let newest_first: Vec<_> = page
        .requests
        .iter()
        .map(|request| request.created_at)
        .collect();
    assert_eq!(
        newest_first,
        moments.iter().rev().copied().collect::<Vec<_>>()
    );
    for (index, moment) in moments.iter().enumerate() {
        let older = Filter {
            created_before: Some(*moment),
            ..Filter::default()
        };
        assert_eq!(
            list(db.store.conn(), &older, None, 100)
                .await
                .unwrap()
                .requests
                .len(),
            index,
            "before {moment}"
        );
    }
}

async fn moments_come_back_as_they_went_in(db: &TestDatabase) {
    let backend = db.store.conn().get_database_backend();
    for moment in mixed() {
        let sql = if db.store.is_postgres() {
            "SELECT $1::timestamptz AS at"
        } else {
            "SELECT $1 AS at"
        };
        let row = db
            .store
            .conn()
            .query_one_raw(Statement::from_sql_and_values(
                backend,
                sql,
                [moment.into()],
            ))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.try_get::<DateTime<Utc>>("", "at").unwrap(), moment);
    }
}
