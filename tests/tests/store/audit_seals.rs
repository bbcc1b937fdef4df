//! The chain over the audit trail: what is altered, removed or added later is told by name.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use shared::store::audit::{self, Actor, Entry, Fault, Proof};
use tests::databases::TestDatabase;

use crate::{seconds, start, together};

on_both!(
    an_untouched_trail_is_proven,
    whatever_is_changed_is_named,
    what_appears_late_is_sealed_all_the_same,
    what_has_expired_is_no_fault,
    schedulers_that_seal_at_once_make_one_chain,
);

async fn write(db: &TestDatabase, count: i64, at: DateTime<Utc>) {
    let subjects: Vec<String> = (0..count).map(|number| format!("S-{number}")).collect();
    let actor = Actor::System("test");
    let entries: Vec<Entry<'_>> = subjects
        .iter()
        .map(|subject| Entry {
            actor: &actor,
            action: "thing.done",
            subject_kind: "thing",
            subject_id: subject,
            from: None,
            to: Some("done"),
            reason: Some("because"),
            detail: json!({"b": 1, "a": [null, "ö"], "longer": {"x": 1.5}}),
        })
        .collect();
    audit::append_all(db.store.conn(), &entries, at)
        .await
        .unwrap();
}

async fn seal_all(db: &TestDatabase, now: DateTime<Utc>) -> u64 {
    let mut sealed = 0;
    loop {
        match audit::seal(&db.store, now).await.unwrap() {
            0 => return sealed,
            more => sealed += more,
        }
    }
}

async fn proof(db: &TestDatabase) -> Proof {
    audit::verify(db.store.conn(), None).await.unwrap()
}

async fn run(db: &TestDatabase, sql: &str) {
    db.store.conn().execute_unprepared(sql).await.unwrap();
}

async fn an_untouched_trail_is_proven(db: &TestDatabase) {
    assert_eq!(proof(db).await, Proof::default());
    write(db, 2_500, start()).await;
    assert_eq!(
        seal_all(db, start() + seconds(59)).await,
        0,
        "not settled yet"
    );
    assert_eq!(proof(db).await.unsealed, 2_500);
    assert_eq!(seal_all(db, start() + seconds(61)).await, 2_500);
    write(db, 3, start() + seconds(100)).await;
    let whole = proof(db).await;
    assert_eq!(
        (whole.blocks, whole.entries, whole.unsealed, whole.faults),
        (3, 2_500, 3, 0)
    );
    let head = audit::head(db.store.conn()).await.unwrap().unwrap();
    assert_eq!(whole.head, Some(audit::hex(&head.chain)));
}

async fn whatever_is_changed_is_named(db: &TestDatabase) {
    write(db, 1_500, start()).await;
    seal_all(db, start() + seconds(61)).await;
    for (sql, fault) in [
        (
            "UPDATE audit_entries SET reason = 'because.' WHERE id = 7",
            Fault::Altered { entry: 7 },
        ),
        (
            "UPDATE audit_entries SET to_word = NULL WHERE id = 8",
            Fault::Altered { entry: 8 },
        ),
        (
            "DELETE FROM audit_entries WHERE id = 1200",
            Fault::Removed { entry: 1_200 },
        ),
        (
            "UPDATE audit_seals SET digests = (SELECT digests FROM audit_seals WHERE number = 2) WHERE number = 1",
            Fault::Broken { block: 1 },
        ),
    ] {
        let before = proof(db).await;
        run(db, sql).await;
        let after = proof(db).await;
        assert!(
            after.told.contains(&fault),
            "{sql}: {:?}",
            after.told.first()
        );
        assert!(after.faults > before.faults, "{sql}");
    }
    run(db, "DELETE FROM audit_seals WHERE number = 1").await;
    let told = proof(db).await.told;
    assert_eq!(told[0], Fault::MissingBlocks { from: 1, to: 1 });
}

async fn what_appears_late_is_sealed_all_the_same(db: &TestDatabase) {
    write(db, 10, start()).await;
    // Two numbers whose transactions had not committed when their neighbours were sealed.
    run(
        db,
        "CREATE TABLE kept AS SELECT * FROM audit_entries WHERE id IN (4, 6)",
    )
    .await;
    run(db, "DELETE FROM audit_entries WHERE id IN (4, 6)").await;
    assert_eq!(seal_all(db, start() + seconds(61)).await, 8);
    run(
        db,
        "INSERT INTO audit_entries SELECT * FROM kept WHERE id = 4",
    )
    .await;
    assert_eq!(seal_all(db, start() + seconds(90)).await, 1);
    let whole = proof(db).await;
    assert_eq!((whole.blocks, whole.entries, whole.faults), (2, 9, 0));
    // The other one comes when no transaction can have lasted so long: somebody has put it there.
    run(
        db,
        "INSERT INTO audit_entries SELECT * FROM kept WHERE id = 6",
    )
    .await;
    assert_eq!(seal_all(db, start() + TimeDelta::minutes(30)).await, 0);
    assert_eq!(proof(db).await.told, [Fault::Added { entry: 6 }]);
}

async fn what_has_expired_is_no_fault(db: &TestDatabase) {
    write(db, 5, start()).await;
    seal_all(db, start() + seconds(61)).await;
    write(db, 5, start() + TimeDelta::days(90)).await;
    seal_all(db, start() + TimeDelta::days(91)).await;
    run(db, "DELETE FROM audit_entries WHERE id <= 5").await;
    let kept_from = Some(start() + TimeDelta::days(60));
    let whole = audit::verify(db.store.conn(), kept_from).await.unwrap();
    assert_eq!((whole.entries, whole.expired, whole.faults), (5, 5, 0));
    assert_eq!(proof(db).await.faults, 5, "when nothing may expire");
}

async fn schedulers_that_seal_at_once_make_one_chain(db: &TestDatabase) {
    write(db, 3_000, start()).await;
    together(&db.store, 8, |store, _| async move {
        audit::seal(&store, start() + seconds(61)).await
    })
    .await;
    seal_all(db, start() + seconds(61)).await;
    let whole = proof(db).await;
    assert_eq!((whole.blocks, whole.entries, whole.faults), (3, 3_000, 0));
}
