//! The line to PostgreSQL is cut while a claim is under way there: it is carried out all the same, and nobody runs the job.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::{Store, jobs};
use tests::databases::{Flavour, fresh};
use tests::running::Running;

/// Of the pool over the line.
const CONNECTIONS: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_is_run_soon_and_once() {
    let database = fresh(Flavour::Postgres).await;
    let direct = database.store.clone();
    let (store, line) = database.over_a_line().await;
    let it = Running::over(database, store, "").await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    let job = bell.job;

    let holder = direct.begin().await.unwrap();
    let row = format!("SELECT id FROM jobs WHERE id = '{job}' FOR UPDATE");
    holder.execute_unprepared(&row).await.unwrap();
    let cutting = async {
        a_claim_waits(&direct).await;
        line.cut();
    };
    tokio::join!(worker::ring(&it.worker, bell), cutting);
    a_claim_waits(&direct).await;
    holder.commit().await.unwrap();
    while jobs::find(direct.conn(), job).await.unwrap().unwrap().state != JobState::Running {
        tokio::task::yield_now().await;
    }

    line.mend();
    heart_beats(&it).await;
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Due);
    // Claims of one owner are told apart by their moments.
    it.advance(Duration::from_secs(1));
    it.look().await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.calls("table.create", "incident"), 1);
    assert_eq!(it.records("incident").len(), 1);

    it.pass(Duration::from_mins(2), Duration::from_secs(5))
        .await;
    let stored = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (stored.state, stored.attempts),
        (JobState::Done, 1),
        "the heart-beats of the next minute leave it alone"
    );
    assert_eq!(it.records("incident").len(), 1);
}

/// Each connection of the pool that was cut costs one heart-beat, as in the process, which tries again.
async fn heart_beats(it: &Running) {
    for _ in 0..CONNECTIONS {
        if worker::heartbeat::tick(&it.worker).await.is_ok() {
            return;
        }
    }
    worker::heartbeat::tick(&it.worker).await.unwrap();
}

/// Until a claim waits for a lock at the server, also when whoever asked for it has gone.
async fn a_claim_waits(direct: &Store) {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                   AND query LIKE '%lease_token = lease_token + 1%'";
    let waiting = Statement::from_string(DbBackend::Postgres, waiting);
    let conn = direct.conn();
    while conn.query_one_raw(waiting.clone()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}
