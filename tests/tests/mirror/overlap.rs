//! What the source says while the closing transaction of a create is open: neither sees what the other has not committed, and
//! still nothing is forgotten. On SQLite writers wait for each other anyway.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::crash::{Mortal, Point};
use shared::job::{ForRequest, NewJob, Payload};
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::requests::{self, Applied, Change};
use shared::store::{StoreError, Tx, jobs};
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

#[tokio::test]
async fn a_comment_said_while_its_ticket_is_being_linked_is_written() {
    let it = Running::start(Flavour::Postgres).await;
    said_while_linking(&it, "comment", json!({"comment": "Needed by Friday."})).await;
    let entries = it
        .main
        .rows("sys_journal_field", "valueLIKENeeded by Friday");
    assert_eq!(entries.len(), 1, "{entries:?}");
}

#[tokio::test]
async fn a_withdrawal_said_while_its_ticket_is_being_linked_is_written() {
    let it = Running::start(Flavour::Postgres).await;
    said_while_linking(&it, "withdrawn", json!({"reason": "No longer needed."})).await;
    let record = &it.records("incident")[0];
    assert_eq!(record["state"], "8", "cancelled: {record:?}");
}

/// The source speaks when the end of the create is written and not committed. If that goes through at once, what it asks for runs
/// at once as well.
async fn said_while_linking(it: &Running, status: &str, more: Value) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    let worker = Mortal::default();
    let written = worker.halts_at(Point::ClosingWritten);
    let create = Box::pin(worker.live(worker::ring(&it.worker, bell)));
    let source = async {
        written.reached().await;
        let mut saying = Box::pin(it.say(id, status, more));
        tokio::select! {
            _ = &mut saying => {
                run_elsewhere(it).await;
                written.go_on();
            }
            () = somebody_waits(it) => {
                written.go_on();
                saying.await;
            }
        }
    };
    tokio::join!(create, source);
    it.settle().await;
    assert!(it.ticket(id).await.exists);
}

/// The other way round: the end of the create is written while a change of the source is, and the change is committed first.
#[tokio::test]
async fn a_change_that_is_committed_while_a_ticket_is_being_linked_is_written() {
    let it = Running::start(Flavour::Postgres).await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    let tx = it.bridge.store().begin().await.unwrap();
    let update = withdraw(&it, &tx, id).await.unwrap();
    let worker = Mortal::default();
    let written = worker.halts_at(Point::ClosingWritten);
    let create = Box::pin(worker.live(worker::ring(&it.worker, bell)));
    let source = async {
        somebody_waits(&it).await;
        tx.commit().await.unwrap();
        written.reached().await;
        let mut early = Box::pin(async {
            shared::queue::ring(&*it.bridge.broker, &update).await;
            run_elsewhere(&it).await;
        });
        tokio::select! {
            () = &mut early => written.go_on(),
            () = somebody_waits(&it) => {
                written.go_on();
                early.await;
            }
        }
    };
    tokio::join!(create, source);
    it.settle().await;
    let record = &it.records("incident")[0];
    assert_eq!(record["state"], "8", "cancelled: {record:?}");
}

/// Another worker runs what is rung.
async fn run_elsewhere(it: &Running) {
    let other = it.another_worker().await;
    for bell in it.bells().await {
        worker::ring(&other, bell).await;
    }
}

/// What the API does for a withdrawal; the jobs that it asks for.
async fn withdraw(it: &Running, tx: &Tx, id: Uuid) -> Result<Vec<jobs::QueuedJob>, StoreError> {
    let request = requests::find(tx, id).await?.expect("it was asked for");
    let change = Change {
        state: Some(RequestState::Cancelled),
        ..Change::default()
    };
    let (actor, now) = (Actor::Source("idm".to_owned()), it.bridge.clock.now());
    let applied = requests::apply(tx, &request, &change, &actor, "request.withdrawn", now).await?;
    assert!(matches!(applied, Applied::Changed(..)));
    let update = NewJob {
        payload: Payload::UpdateServicenowStatus(ForRequest { request_id: id }),
        connection: Some("main".to_owned()),
        request_id: Some(id),
        priority: 2,
        due_at: now,
        dedup_key: Some(format!("update:{id}")),
        traceparent: None,
    };
    Ok(jobs::insert(tx, &update, now).await?.into_iter().collect())
}

/// Until a transaction waits for another one.
async fn somebody_waits(it: &Running) {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = Statement::from_string(DbBackend::Postgres, waiting);
    let conn = it.bridge.store().conn();
    while conn.query_one_raw(waiting.clone()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}
