use std::time::Duration;

use shared::store::cadences::{self, Cadence, CadenceSpec};
use shared::store::cursors::{self, Cursor};
use tests::databases::TestDatabase;

use crate::{seconds, start, together};

on_both!(
    a_cadence_comes_due_and_moves_on,
    three_racers_move_a_cadence_once,
    a_changed_configuration_changes_cadences,
    a_paused_cadence_waits,
    a_cursor_moves_only_from_where_it_is,
);

fn spec(name: &str, every: u64) -> CadenceSpec {
    CadenceSpec {
        name: name.into(),
        kind: "changes".into(),
        connection: "main".into(),
        table: "incident".into(),
        every: Duration::from_secs(every),
    }
}

async fn only(db: &TestDatabase) -> Cadence {
    let all = cadences::list(db.store.conn()).await.unwrap();
    assert_eq!(all.len(), 1);
    all[0].clone()
}

async fn a_cadence_comes_due_and_moves_on(db: &TestDatabase) {
    let conn = db.store.conn();
    cadences::ensure(conn, &spec("a", 30), start())
        .await
        .unwrap();
    let due = cadences::due(conn, start()).await.unwrap();
    assert_eq!(due, [only(db).await], "a new cadence is due at once");
    assert_eq!(
        (due[0].next_at, due[0].every),
        (start(), Duration::from_secs(30))
    );
    let next = start() + seconds(30);
    assert!(
        cadences::advance(conn, &due[0], next, start())
            .await
            .unwrap()
    );
    assert!(
        !cadences::advance(conn, &due[0], next, start())
            .await
            .unwrap(),
        "the turn is taken"
    );
    assert!(
        cadences::due(conn, next - seconds(1))
            .await
            .unwrap()
            .is_empty()
    );
    cadences::finished(conn, "a", start() + seconds(2))
        .await
        .unwrap();
    let after = only(db).await;
    assert_eq!(
        (after.last_started_at, after.last_finished_at),
        (Some(start()), Some(start() + seconds(2)))
    );
    assert_eq!(cadences::due(conn, next).await.unwrap(), [after]);
}

async fn three_racers_move_a_cadence_once(db: &TestDatabase) {
    cadences::ensure(db.store.conn(), &spec("a", 30), start())
        .await
        .unwrap();
    for round in 0..20 {
        let now = start() + seconds(30 * round);
        let due = cadences::due(db.store.conn(), now).await.unwrap();
        let turn = due[0].clone();
        let won = together(&db.store, 3, move |store, _| {
            let turn = turn.clone();
            async move {
                let tx = store.begin().await?;
                let won = cadences::advance(&tx, &turn, now + seconds(30), now).await?;
                tx.commit().await?;
                Ok(won)
            }
        })
        .await;
        assert_eq!(
            won.into_iter().filter(|won| *won).count(),
            1,
            "round {round}"
        );
    }
}

async fn a_changed_configuration_changes_cadences(db: &TestDatabase) {
    let conn = db.store.conn();
    for name in ["a", "b", "c"] {
        cadences::ensure(conn, &spec(name, 3_600), start())
            .await
            .unwrap();
    }
    assert_eq!(
        cadences::remove_others(conn, &["a".into(), "c".into()])
            .await
            .unwrap(),
        1
    );
    let [a, c] = cadences::list(conn).await.unwrap().try_into().unwrap();
    assert_eq!((a.name.as_str(), c.name.as_str()), ("a", "c"));
    let later = start() + seconds(3_600);
    assert!(cadences::advance(conn, &a, later, start()).await.unwrap());
    cadences::ensure(conn, &spec("a", 7_200), start() + seconds(10))
        .await
        .unwrap();
    assert_eq!(
        cadences::list(conn).await.unwrap()[0].next_at,
        later,
        "a known cadence keeps its turn"
    );
    cadences::ensure(conn, &spec("a", 60), start() + seconds(10))
        .await
        .unwrap();
    let sooner = cadences::list(conn).await.unwrap().remove(0);
    assert_eq!(
        (sooner.next_at, sooner.every),
        (start() + seconds(70), Duration::from_mins(1))
    );
    assert_eq!(cadences::remove_others(conn, &[]).await.unwrap(), 2);
    assert!(cadences::list(conn).await.unwrap().is_empty());
}

async fn a_paused_cadence_waits(db: &TestDatabase) {
    let conn = db.store.conn();
    cadences::ensure(conn, &spec("a", 30), start())
        .await
        .unwrap();
    let turn = only(db).await;
    assert!(cadences::set_paused(conn, "a", true).await.unwrap());
    assert!(!cadences::set_paused(conn, "b", true).await.unwrap());
    assert!(cadences::due(conn, start()).await.unwrap().is_empty());
    assert!(
        !cadences::advance(conn, &turn, start() + seconds(30), start())
            .await
            .unwrap()
    );
    assert!(cadences::set_paused(conn, "a", false).await.unwrap());
    assert!(
        cadences::advance(conn, &turn, start() + seconds(30), start())
            .await
            .unwrap()
    );
}

async fn a_cursor_moves_only_from_where_it_is(db: &TestDatabase) {
    let conn = db.store.conn();
    assert_eq!(cursors::get(conn, "c").await.unwrap(), None);
    let at = |second: &str| Cursor {
        name: "c".into(),
        updated_on: format!("2026-03-02 09:00:{second}"),
        sys_id: "a1".into(),
        zone_checked_at: Some(start()),
        version: 0,
    };
    assert!(cursors::put(conn, None, &at("01")).await.unwrap());
    assert!(
        !cursors::put(conn, None, &at("02")).await.unwrap(),
        "it exists"
    );
    let first = cursors::get(conn, "c").await.unwrap().unwrap();
    assert_eq!(
        first,
        Cursor {
            version: 1,
            ..at("01")
        }
    );
    assert!(cursors::put(conn, Some(&first), &at("02")).await.unwrap());
    assert!(
        !cursors::put(conn, Some(&first), &at("03")).await.unwrap(),
        "it has moved"
    );
    assert_eq!(
        cursors::get(conn, "c").await.unwrap(),
        Some(Cursor {
            version: 2,
            ..at("02")
        })
    );
}
