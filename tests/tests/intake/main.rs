//! The scheduler: what a source can send and what it is told, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use serde_json::Value;

/// Makes two tests of a function over a bridge: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::bridge::Bridge;
            use tests::databases::Flavour;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                super::$name(&Bridge::start(Flavour::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                super::$name(&Bridge::start(Flavour::Postgres).await).await;
            }
        }
    )+};
}

mod bad_input;
mod batch;
mod cadence;
mod cancel;
mod create;
mod document;
mod feed;
mod giveup;
mod health;
mod idempotency;
mod list;
mod relay;
mod status;
mod stream;
mod sweeper;
mod trouble;
mod wait;

/// A body without what differs from run to run: ids, and the address of the server.
fn stable(body: &Value) -> Value {
    match body {
        Value::String(text) => stable_text(text).into(),
        Value::Array(items) => items.iter().map(stable).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), stable(value)))
            .collect(),
        other => other.clone(),
    }
}

fn stable_text(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let text: String = words
        .map(|word| {
            let id = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            match id.len() {
                36 if id.parse::<uuid::Uuid>().is_ok() => word.replace(id, "<id>"),
                32 if id.bytes().all(|byte| byte.is_ascii_hexdigit()) => word.replace(id, "<hex>"),
                _ => word.to_owned(),
            }
        })
        .collect();
    match text.split_once("127.0.0.1:") {
        Some((before, after)) => format!(
            "{before}<server>{}",
            after.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => text,
    }
}
