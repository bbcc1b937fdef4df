//! A claim whose answer was lost is undone, and nothing else with it.

use chrono::{DateTime, Utc};
use shared::job::JobState;
use shared::store::jobs::{self, Ending};
use tests::databases::TestDatabase;
use uuid::Uuid;

use super::{inserted, job, read};
use crate::{seconds, start};

on_both!(
    a_claim_is_undone_for_its_owner_and_its_moment_only,
    what_has_ended_or_waits_is_left_as_it_is,
    a_run_that_was_undone_cannot_end_the_next_one,
);

const LATER: i64 = 5;

async fn claimed_at(db: &TestDatabase, ids: &[Uuid], owner: &str, at: DateTime<Utc>) {
    let claimed = jobs::claim(db.store.conn(), ids, owner, at).await.unwrap();
    assert_eq!(claimed.len(), ids.len(), "they can be claimed");
}

async fn three(db: &TestDatabase) -> [Uuid; 3] {
    let mut ids = [Uuid::nil(); 3];
    for (number, id) in (0..).zip(&mut ids) {
        *id = inserted(&db.store, &job(number)).await;
    }
    ids
}

async fn a_claim_is_undone_for_its_owner_and_its_moment_only(db: &TestDatabase) {
    let conn = db.store.conn();
    let [lost, not_named, _] = three(db).await;
    let (another_owner, another_moment) = (
        inserted(&db.store, &job(10)).await,
        inserted(&db.store, &job(11)).await,
    );
    let moment = start() + seconds(LATER);
    claimed_at(db, &[lost, not_named], "w1", moment).await;
    claimed_at(db, &[another_owner], "w2", moment).await;
    claimed_at(db, &[another_moment], "w1", moment + seconds(1)).await;

    let named = [lost, another_owner, another_moment];
    assert_eq!(
        jobs::unclaim(conn, &named, "w1", moment).await.unwrap(),
        1,
        "only the one of that owner and that moment"
    );
    let stored = read(&db.store, lost).await;
    assert_eq!(
        (stored.state, stored.due_at, stored.attempts),
        (JobState::Due, start(), 0),
        "it waits in its old place, and nobody has tried it"
    );
    for id in [not_named, another_owner, another_moment] {
        assert_eq!(read(&db.store, id).await.state, JobState::Running);
    }
    assert_eq!(
        jobs::unclaim(conn, &named, "w1", moment).await.unwrap(),
        0,
        "once"
    );
    let lanes = [("create-ticket@main".to_owned(), 9)];
    let rung = jobs::take_due(conn, moment, &lanes).await.unwrap();
    let rung: Vec<_> = rung.iter().map(|it| it.id).collect();
    assert_eq!(rung, [lost], "the relay rings it");
}

async fn what_has_ended_or_waits_is_left_as_it_is(db: &TestDatabase) {
    let conn = db.store.conn();
    let [done, parked, again] = three(db).await;
    let waiting = inserted(&db.store, &job(10)).await;
    let moment = start() + seconds(LATER);
    let class = || "auth".to_owned();
    let endings = [
        (done, Ending::Done),
        (
            parked,
            Ending::Parked {
                reason: class(),
                class: class(),
            },
        ),
        (
            again,
            Ending::Retry {
                due_at: moment + seconds(60),
                class: class(),
                message: class(),
                uses_attempt: true,
            },
        ),
    ];
    for (id, ending) in &endings {
        let run = jobs::claim(conn, &[*id], "w1", moment).await.unwrap();
        // Ended in the moment of the claim, so that only the state tells.
        let ended = jobs::finish(conn, *id, &run[0].lease, ending, moment).await;
        assert!(ended.unwrap());
    }
    let ids = [done, parked, again, waiting];
    let mut before = Vec::new();
    for id in ids {
        before.push(read(&db.store, id).await);
    }
    assert_eq!(jobs::unclaim(conn, &ids, "w1", moment).await.unwrap(), 0);
    for (id, before) in ids.into_iter().zip(before) {
        assert_eq!(read(&db.store, id).await, before);
    }
}

/// The answer was not lost but late, and both runs believe that they hold the job.
async fn a_run_that_was_undone_cannot_end_the_next_one(db: &TestDatabase) {
    let conn = db.store.conn();
    let id = inserted(&db.store, &job(1)).await;
    let moment = start() + seconds(LATER);
    let late = jobs::claim(conn, &[id], "w1", moment).await.unwrap();
    assert_eq!(jobs::unclaim(conn, &[id], "w1", moment).await.unwrap(), 1);
    let after = moment + seconds(1);
    let next = jobs::claim(conn, &[id], "w1", after).await.unwrap();
    let finish = |lease| jobs::finish(conn, id, lease, &Ending::Done, after);
    assert!(
        !finish(&late[0].lease).await.unwrap(),
        "its token is an old one"
    );
    assert!(finish(&next[0].lease).await.unwrap());
}
