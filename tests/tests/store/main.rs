//! The store, on SQLite and on PostgreSQL: one suite, run on both.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use shared::job::{ForRequest, NewJob, Payload};
use shared::request::{Asked, Request};
use shared::store::{Store, StoreError};
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use shared::clock::Clock;
use tests::clock::ManualClock;
use tests::databases::TestDatabase;
use uuid::Uuid;

/// Makes two tests of a function over a database: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::{Flavour, fresh};

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                super::$name(&fresh(Flavour::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                super::$name(&fresh(Flavour::Postgres).await).await;
            }
        }
    )+};
}

mod attempts_and_notes;
mod audit;
mod audit_seals;
mod connections;
mod dates;
mod events;
mod idempotency;
mod jobs;
mod jobs_model;
mod migrations_run;
mod minutes;
mod processes;
mod requests;
mod schedules;
mod sources;
mod tickets;
mod trouble;

/// 2026-03-02 09:00:00 UTC.
fn start() -> DateTime<Utc> {
    ManualClock::default().now()
}

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

/// A fictional wish for a role.
fn asked(external_id: &str) -> Asked {
    Asked {
        external_id: external_id.to_owned(),
        category: "sap-role".to_owned(),
        item: "SAP role Z_FI_CLERK".to_owned(),
        requester: "requester.one".to_owned(),
        requested_for: "person.two".to_owned(),
        justification: Some("Month-end closing".to_owned()),
        priority: 3,
        valid_from: None,
        valid_until: None,
        attributes: BTreeMap::from([("cost_center".to_owned(), serde_json::json!(4711))]),
        callback_url: None,
    }
}

/// A stored request of the source `idm`.
async fn stored_request(db: &TestDatabase, external_id: &str, has_callback: bool) -> Request {
    use shared::store::requests::{Inserted, NewRequest, insert};
    let new = NewRequest {
        source: "idm".to_owned(),
        route: "sap".to_owned(),
        asked: asked(external_id),
        has_callback,
        actor: "idm".to_owned(),
    };
    match insert(db.store.conn(), &new, start()).await.unwrap() {
        Inserted::New(request) => request,
        Inserted::Existing(request, _) => panic!("{external_id} was there already: {request:?}"),
    }
}

/// A create job for a request, due at the start.
fn create_job(request_id: Uuid) -> NewJob {
    NewJob {
        payload: Payload::CreateTicket(ForRequest { request_id }),
        connection: Some("main".to_owned()),
        request_id: Some(request_id),
        priority: 3,
        due_at: start(),
        dedup_key: Some(format!("create:{request_id}")),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

/// Runs `work` at the same time in `count` tasks, each with its number, and gives what they returned.
async fn together<T, F>(store: &Store, count: usize, work: impl Fn(Store, usize) -> F) -> Vec<T>
where
    F: Future<Output = Result<T, StoreError>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        tasks.spawn(work(store.clone(), number));
    }
    tasks
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}
