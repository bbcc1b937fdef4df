//! What operators see and do: by token, and with a browser.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

/// Makes two tests of a function over a running bridge: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;
            use tests::running::Running;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                super::$name(&Running::start(Flavour::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                super::$name(&Running::start(Flavour::Postgres).await).await;
            }
        }
    )+};
}

/// The same with a destination for alerts, which is handed over too.
macro_rules! with_receiver {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;

            use crate::alert_messages::alerted;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                let (it, receiver) = alerted(Flavour::Sqlite, "").await;
                super::$name(&it, &receiver).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                let (it, receiver) = alerted(Flavour::Postgres, "").await;
                super::$name(&it, &receiver).await;
            }
        }
    )+};
}

mod access;
mod acting;
mod alert_gauge;
mod alert_mail_tls;
mod alert_messages;
mod alert_rules;
mod alerts;
mod cadences;
mod concurrency;
mod connections;
mod console;
mod finding;
mod history;
mod oidc;
mod oidc_tokens;
mod queues;
mod routes;
mod state_map;
mod why;

use serde_json::{Value, json};
use tests::running::Running;
use uuid::Uuid;

/// Requests whose creates are dead, because the instance refuses what they send; their ids.
async fn dead_creates(it: &Running, count: usize) -> Vec<Uuid> {
    let body = r#"{"error":{"message":"Exception while reading request","detail":"fictional"},"status":"failure"}"#;
    let canned =
        json!({"canned": {"status": 400, "content_type": "application/json", "body": body}});
    it.fault("POST", "incident", u32::try_from(count).unwrap(), &canned);
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(it.opened(&format!("D-{number}"), "access").await);
    }
    it.main.clear_faults();
    ids
}

/// The items of an answer.
fn items(body: &Value) -> &Vec<Value> {
    body["items"].as_array().unwrap()
}
