//! A claim brings what the run begins with.

use sea_orm::ConnectionTrait as _;
use shared::store::jobs::{self, Begun};
use shared::store::{circuits, table_facts, tickets};
use tests::databases::TestDatabase;
use uuid::Uuid;

use super::{inserted, job};
use crate::tickets::stored;
use crate::{create_job, seconds, start};

on_both!(
    a_claim_brings_the_request_and_its_ticket,
    a_row_that_does_not_read_holds_up_no_other,
);

async fn begun(db: &TestDatabase, ids: &[Uuid]) -> Vec<Begun> {
    let mut begun = jobs::begin(db.store.conn(), ids, "worker-1", start())
        .await
        .unwrap();
    begun.sort_by_key(|it| ids.iter().position(|id| *id == it.job.id));
    begun
}

async fn a_claim_brings_the_request_and_its_ticket(db: &TestDatabase) {
    let conn = db.store.conn();
    let (request, ticket) = stored(db, "A-1").await;
    let of_request = inserted(&db.store, &create_job(request.id)).await;
    let of_nothing_stored = inserted(&db.store, &job(7)).await;
    let ids = [of_request, of_nothing_stored];
    let first = begun(db, &ids).await;
    assert_eq!(first.len(), 2);
    let about = first[0].about.as_ref().unwrap();
    assert_eq!((&about.request, &about.ticket), (&request, &ticket));
    assert_eq!(about.honours_sys_id, None);
    assert_eq!(first[0].job.lease.token, 1);
    assert!(first[1].about.is_none());
    assert!(begun(db, &ids).await.is_empty(), "they run");

    table_facts::set_honours(conn, "main", "incident", true)
        .await
        .unwrap();
    circuits::open(
        conn,
        "main",
        "busy",
        "too much",
        start() + seconds(60),
        start(),
    )
    .await
    .unwrap();
    jobs::unclaim(conn, &ids, "worker-1", start())
        .await
        .unwrap();
    let again = begun(db, &ids).await;
    assert_eq!(again[0].about.as_ref().unwrap().honours_sys_id, Some(true));
    assert!(again.iter().all(|it| it.circuits_open));
}

async fn a_row_that_does_not_read_holds_up_no_other(db: &TestDatabase) {
    let conn = db.store.conn();
    let (good, _) = stored(db, "A-1").await;
    let (bad, _) = stored(db, "A-2").await;
    let of_newer_program =
        "UPDATE requests SET state = 'of a newer program' WHERE external_id = 'A-2'";
    conn.execute_unprepared(of_newer_program).await.unwrap();
    let ids = [
        inserted(&db.store, &create_job(good.id)).await,
        inserted(&db.store, &create_job(bad.id)).await,
    ];
    let begun = begun(db, &ids).await;
    assert_eq!(begun.len(), 2, "both are claimed");
    assert!(begun[1].about.is_none());
    let of_good = tickets::about(conn, &[good.id]).await.unwrap();
    assert_eq!(of_good[&good.id].request, good);
    let error = tickets::about(conn, &[bad.id]).await.unwrap_err();
    assert!(error.to_string().contains("of a newer program"), "{error}");
}
