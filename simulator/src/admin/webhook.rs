//! Where the instance tells of changes.

use serde_json::json;

use super::{bad, body};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::sim::Sim;
use crate::webhook::{self, WebhookTarget};

pub(super) fn show(sim: &Sim) -> Answer {
    let hooks = &sim.webhooks;
    Answer::json(
        200,
        &json!({"target": hooks.target(), "counts": hooks.counts()}),
    )
}

pub(super) fn set(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let target: WebhookTarget = body(call)?;
    if !target.url.starts_with("http://") {
        return Err(bad("only plain HTTP is supported: http://host:port/path"));
    }
    webhook::set_target(sim, Some(target));
    Ok(show(sim))
}

pub(super) fn clear(sim: &Sim) -> Answer {
    webhook::set_target(sim, None);
    Answer::empty(204)
}
