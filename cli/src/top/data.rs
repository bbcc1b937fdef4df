//! What `top` asks the bridge for, as the operator API answers it.

use serde::Serialize;
use serde_json::{Value, json};

use super::state::Wish;
use crate::api::Api;
use crate::commands::queues::in_path;
use crate::exit::Failure;

/// Everything that is shown.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Data {
    pub(super) session: Value,
    pub(super) overview: Value,
    pub(super) history: Value,
    pub(super) workers: Value,
    pub(super) operations: Value,
}

impl Data {
    /// The lanes, in the order of the API.
    pub(super) fn lanes(&self) -> &[Value] {
        list(&self.overview["queues"])
    }
}

/// The items of an answer; none of what is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) async fn fetch(api: &Api) -> Result<Data, Failure> {
    let (session, overview, history, workers, operations) = tokio::try_join!(
        api.get("/v1/ops/session", &[]),
        api.get("/v1/ops/overview", &[]),
        api.get("/v1/ops/history", &[]),
        api.get("/v1/ops/workers", &[]),
        api.get("/v1/ops/operations", &[]),
    )?;
    Ok(Data {
        session,
        overview,
        history,
        workers,
        operations,
    })
}

/// Pauses or resumes a lane; what is to be said of it.
pub(super) async fn switch(api: &Api, wish: &Wish) -> Result<String, Failure> {
    let word = if wish.on { "resume" } else { "pause" };
    let path = format!("/v1/ops/queues/{}/{word}", in_path(&wish.lane));
    let body = match wish.reason.as_str() {
        "" => json!({}),
        reason => json!({ "reason": reason }),
    };
    api.post(&path, &body).await?;
    Ok(format!("{} is {word}d.", wish.lane))
}
