//! `health`: one question to a running process; exit code 0 when it is ready, 5 when it is not.

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
        output.show(&json!({"ready": true, "answer": body}), |_| {
            "ready".to_owned()
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
