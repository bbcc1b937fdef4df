//! `health`: one question to a running process; exit code 0 when it is ready, degraded or not, 5 when it is not.

use serde_json::{Value, json};

use crate::args::Health;
use crate::exit::Failure;
use crate::output::Output;
use crate::wiring;

pub(crate) async fn run(args: &Health, output: Output) -> Result<(), Failure> {
    let answer = wiring::http_client()?
        .get(args.url.clone())
        .send()
        .await
        .map_err(|error| {
            let error = anyhow::Error::new(error.without_url());
            Failure::Unreachable(error.context(format!("no answer from {}", args.url)))
        })?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or(Value::Null);
    if status.is_success() {
        let degraded = degraded(&body);
        let shown = json!({"ready": true, "degraded": !degraded.is_empty(), "answer": body});
        output.show(&shown, |_| {
            if degraded.is_empty() {
                "ready".to_owned()
            } else {
                format!("ready, degraded: {}", degraded.join("; "))
            }
        });
        return Ok(());
    }
    let why = if body.is_null() {
        String::new()
    } else {
        format!(": {body}")
    };
    Err(Failure::Unreachable(anyhow::anyhow!(
        "{} answers {status}{why}",
        args.url
    )))
}

/// The connections that nobody calls for now, each with until when and why.
fn degraded(body: &Value) -> Vec<String> {
    let all = body["degraded"].as_array().into_iter().flatten();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    all.map(|it| {
        format!(
            "{} {} ({})",
            text(it, "connection"),
            text(it, "status"),
            text(it, "reason")
        )
    })
    .collect()
}
