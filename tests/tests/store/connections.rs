//! Circuits, people, facts about tables, switches.

use shared::store::audit::{self, Actor};
use shared::store::{circuits, jobs, people, switches, table_facts};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{create_job, seconds, start, together};

on_both!(
    a_circuit_opens_once_and_closes_once,
    one_job_probes_a_circuit,
    a_dead_probe_holds_nobody_up,
    people_are_found_while_fresh,
    a_thousand_people_and_more_are_found,
    facts_are_kept_side_by_side,
    switches_are_set_and_audited,
);

async fn actions(db: &TestDatabase, kind: &str, id: &str) -> Vec<String> {
    let rows = audit::of_subject(db.store.conn(), kind, id).await.unwrap();
    rows.into_iter().map(|row| row.action).collect()
}

async fn a_circuit_opens_once_and_closes_once(db: &TestDatabase) {
    let conn = db.store.conn();
    let until = start() + seconds(60);
    circuits::open(
        conn,
        "main",
        "hibernating",
        "the instance sleeps",
        until,
        start(),
    )
    .await
    .unwrap();
    circuits::open(
        conn,
        "main",
        "auth",
        "wrong secret",
        start() + seconds(30),
        start() + seconds(1),
    )
    .await
    .unwrap();
    let open = circuits::all(conn).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].until, open[0].failures, open[0].opened_at),
        (until, 2, start()),
        "the later end holds"
    );
    assert_eq!(
        (open[0].class.as_str(), open[0].reason.as_str()),
        ("auth", "wrong secret")
    );
    assert!(
        circuits::close(conn, "main", start() + seconds(2))
            .await
            .unwrap()
    );
    assert!(
        !circuits::close(conn, "main", start() + seconds(3))
            .await
            .unwrap()
    );
    assert!(circuits::all(conn).await.unwrap().is_empty());
    assert_eq!(
        actions(db, "connection", "main").await,
        ["circuit.opened", "circuit.closed"]
    );
}

/// A job that runs.
async fn running(db: &TestDatabase, number: u128) -> Uuid {
    let conn = db.store.conn();
    let queued = jobs::insert(conn, &create_job(Uuid::from_u128(number)), start())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        jobs::claim(conn, &[queued.id], "w1", start())
            .await
            .unwrap()
            .len(),
        1
    );
    queued.id
}

async fn one_job_probes_a_circuit(db: &TestDatabase) {
    let conn = db.store.conn();
    let mut candidates = Vec::new();
    for number in 0..4 {
        candidates.push(running(db, number).await);
    }
    assert!(
        !circuits::try_probe(conn, "main", candidates[0], start())
            .await
            .unwrap(),
        "it is not open"
    );
    let until = start() + seconds(60);
    circuits::open(conn, "main", "auth", "wrong secret", until, start())
        .await
        .unwrap();
    assert!(
        !circuits::try_probe(conn, "main", candidates[0], until - seconds(1))
            .await
            .unwrap(),
        "too early"
    );
    let them = candidates.clone();
    let won = together(&db.store, 4, move |store, number| {
        let id = them[number];
        async move {
            Ok((
                id,
                circuits::try_probe(store.conn(), "main", id, until).await?,
            ))
        }
    })
    .await;
    let winners: Vec<_> = won.into_iter().filter(|(_, won)| *won).collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    assert_eq!(
        circuits::all(conn).await.unwrap()[0].probing_job,
        Some(winner)
    );
    assert!(
        circuits::try_probe(conn, "main", winner, until)
            .await
            .unwrap(),
        "the winner may ask again"
    );
    circuits::open(
        conn,
        "main",
        "auth",
        "still wrong",
        until + seconds(60),
        until,
    )
    .await
    .unwrap();
    assert!(
        !circuits::try_probe(conn, "main", winner, until)
            .await
            .unwrap(),
        "a failed probe closes the door"
    );
    let other = *candidates.iter().find(|id| **id != winner).unwrap();
    assert!(
        circuits::try_probe(conn, "main", other, until + seconds(60))
            .await
            .unwrap()
    );
}

async fn a_dead_probe_holds_nobody_up(db: &TestDatabase) {
    let conn = db.store.conn();
    let (dead, next) = (running(db, 1).await, running(db, 2).await);
    circuits::open(conn, "main", "auth", "wrong secret", start(), start())
        .await
        .unwrap();
    assert!(
        circuits::try_probe(conn, "main", dead, start())
            .await
            .unwrap()
    );
    assert!(
        !circuits::try_probe(conn, "main", next, start())
            .await
            .unwrap()
    );
    let reclaimed = jobs::reclaim(conn, start(), start(), 10).await.unwrap();
    assert_eq!(reclaimed.len(), 2, "their worker never registered");
    jobs::claim(conn, &[next], "w2", start()).await.unwrap();
    assert!(
        circuits::try_probe(conn, "main", next, start())
            .await
            .unwrap()
    );
}

async fn people_are_found_while_fresh(db: &TestDatabase) {
    let conn = db.store.conn();
    people::put(conn, "main", "person.one", "s1", "Person One", start())
        .await
        .unwrap();
    people::put(
        conn,
        "main",
        "person.two",
        "s2",
        "Person Two",
        start() + seconds(10),
    )
    .await
    .unwrap();
    people::put(
        conn,
        "other",
        "person.one",
        "x1",
        "Somebody Else",
        start() + seconds(10),
    )
    .await
    .unwrap();
    let keys = [
        "person.one".to_owned(),
        "person.two".to_owned(),
        "person.three".to_owned(),
    ];
    let found = people::find(conn, "main", &keys, start()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].key.as_str(),
            found[0].sys_id.as_str(),
            found[0].name.as_str()
        ),
        ("person.two", "s2", "Person Two")
    );
    people::put(
        conn,
        "main",
        "person.one",
        "s9",
        "Person One-New",
        start() + seconds(20),
    )
    .await
    .unwrap();
    let found = people::find(conn, "main", &keys, start()).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|it| it.sys_id.as_str())
            .collect::<Vec<_>>(),
        ["s9", "s2"]
    );
    people::forget(conn, "main", "person.one").await.unwrap();
    assert_eq!(
        people::find(conn, "main", &keys, start())
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        people::find(conn, "main", &[], start())
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_thousand_people_and_more_are_found(db: &TestDatabase) {
    let tx = db.store.begin().await.unwrap();
    let keys: Vec<String> = (0..2_500)
        .map(|number| format!("person.{number:04}"))
        .collect();
    for key in &keys {
        people::put(&tx, "main", key, key, key, start())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let found = people::find(db.store.conn(), "main", &keys, start() - seconds(1))
        .await
        .unwrap();
    assert_eq!(
        found
            .into_iter()
            .map(|person| person.key)
            .collect::<Vec<_>>(),
        keys
    );
}

async fn facts_are_kept_side_by_side(db: &TestDatabase) {
    let conn = db.store.conn();
    assert_eq!(
        table_facts::get(conn, "main", "incident").await.unwrap(),
        None
    );
    table_facts::set_honours(conn, "main", "incident", true)
        .await
        .unwrap();
    table_facts::set_zone_ok(conn, "main", "incident", start())
        .await
        .unwrap();
    table_facts::set_honours(conn, "main", "incident", false)
        .await
        .unwrap();
    let facts = table_facts::get(conn, "main", "incident")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (facts.honours_sys_id, facts.zone_ok_at),
        (Some(false), Some(start()))
    );
    table_facts::set_zone_ok(conn, "main", "sc_task", start())
        .await
        .unwrap();
    assert_eq!(
        table_facts::get(conn, "main", "sc_task")
            .await
            .unwrap()
            .unwrap()
            .honours_sys_id,
        None
    );
}

async fn switches_are_set_and_audited(db: &TestDatabase) {
    let conn = db.store.conn();
    let actor = Actor::Operator("op.one".into());
    switches::set(
        conn,
        "route:sap",
        false,
        Some("change freeze"),
        &actor,
        start(),
    )
    .await
    .unwrap();
    switches::set(conn, "route:crm", false, None, &actor, start())
        .await
        .unwrap();
    switches::set(conn, "route:sap", true, None, &actor, start() + seconds(5))
        .await
        .unwrap();
    for (subject, on) in [
        ("route:sap", true),
        ("route:crm", false),
        ("route:hr", true),
    ] {
        let other = Actor::Operator("op.two".into());
        let changed = switches::set(conn, subject, on, None, &other, start() + seconds(9));
        assert!(!changed.await.unwrap(), "{subject} stands so already");
    }
    let all = switches::get_all(conn).await.unwrap();
    assert_eq!(
        all.iter()
            .map(|it| (it.subject.as_str(), it.on))
            .collect::<Vec<_>>(),
        [("route:crm", false), ("route:sap", true)]
    );
    assert_eq!(
        (all[1].by.as_str(), all[1].at, &all[1].reason),
        ("operator:op.one", start() + seconds(5), &None)
    );
    let rows = audit::of_subject(conn, "switch", "route:sap")
        .await
        .unwrap();
    let moves: Vec<_> = rows
        .iter()
        .map(|row| (row.from.as_deref(), row.to.as_deref()))
        .collect();
    assert_eq!(
        moves,
        [(Some("on"), Some("off")), (Some("off"), Some("on"))]
    );
    assert_eq!(rows[0].reason.as_deref(), Some("change freeze"));
}
