use shared::store::StoreError;
use shared::store::processes::{Process, alive, deregister, expire, heartbeat, register};
use tests::databases::TestDatabase;

use crate::{seconds, start};

on_both!(
    a_process_lives_while_it_beats,
    a_lost_lease_is_told,
    the_dead_are_taken_off_the_list
);

fn process(id: &str) -> Process {
    Process {
        id: id.into(),
        kind: "worker".into(),
        host: "host-1".into(),
        version: "0.1.0".into(),
        lanes: vec!["create-ticket@main".into(), "callback".into()],
        started_at: start(),
    }
}

async fn ids(db: &TestDatabase, at: i64) -> Vec<String> {
    let alive = alive(db.store.conn(), start() + seconds(at)).await.unwrap();
    alive.into_iter().map(|it| it.process.id).collect()
}

async fn a_process_lives_while_it_beats(db: &TestDatabase) {
    let conn = db.store.conn();
    register(conn, &process("w1"), start() + seconds(10), start())
        .await
        .unwrap();
    let listed = alive(conn, start() + seconds(9)).await.unwrap();
    assert_eq!(listed[0].process, process("w1"));
    assert_eq!(
        (listed[0].heartbeat_at, listed[0].lease_until),
        (start(), start() + seconds(10))
    );
    assert!(
        heartbeat(conn, "w1", start() + seconds(19), start() + seconds(9))
            .await
            .unwrap()
    );
    assert_eq!(ids(db, 18).await, ["w1"]);
    assert!(ids(db, 19).await.is_empty(), "the lease ends at its moment");
    deregister(conn, "w1").await.unwrap();
    assert!(ids(db, 9).await.is_empty());
}

async fn a_lost_lease_is_told(db: &TestDatabase) {
    let conn = db.store.conn();
    register(conn, &process("w1"), start() + seconds(10), start())
        .await
        .unwrap();
    let twice = register(conn, &process("w1"), start() + seconds(10), start()).await;
    assert!(
        matches!(twice, Err(StoreError::Conflict { .. })),
        "{twice:?}"
    );
    assert!(
        !heartbeat(conn, "w1", start() + seconds(30), start() + seconds(10))
            .await
            .unwrap(),
        "it ran out"
    );
    assert!(
        !heartbeat(conn, "w2", start() + seconds(30), start())
            .await
            .unwrap(),
        "nobody knows it"
    );
}

async fn the_dead_are_taken_off_the_list(db: &TestDatabase) {
    let conn = db.store.conn();
    for (id, until) in [("w1", 10), ("w2", 20), ("w3", 30)] {
        register(conn, &process(id), start() + seconds(until), start())
            .await
            .unwrap();
    }
    let mut gone = expire(conn, start() + seconds(20)).await.unwrap();
    gone.sort();
    assert_eq!(gone, ["w1", "w2"]);
    assert_eq!(ids(db, 0).await, ["w3"]);
    assert!(
        !heartbeat(conn, "w1", start() + seconds(99), start())
            .await
            .unwrap(),
        "who is off the list stays off"
    );
}
