//! What can happen to an answer after the work is done.

use axum::body::Bytes;
use serde_json::json;

use super::answer::{Answer, JSON};
use super::call::Call;
use super::pipeline::Ending;
use crate::knobs::{DropWhen, Knobs, QuotaForm};
use crate::lock::hold;
use crate::refusal::quota_error;
use crate::sim::Sim;

/// The ending of a call whose work gave `answer`.
pub(crate) fn ending(sim: &Sim, knobs: &Knobs, call: &Call, mut answer: Answer) -> Ending {
    let mut dice = hold(&sim.dice);
    if call.method == "POST" && answer.status == 201 && dice.chance(knobs.post_commits_then_500) {
        answer = cancelled();
    }
    if let Some(limit) = knobs.truncate_over_bytes
        && answer.status == 200
        && answer.body.len() > limit
    {
        answer.body.truncate(limit);
    }
    let struck = knobs
        .connection_drop
        .filter(|drop| drop.when != DropWhen::Before && dice.chance(drop.probability));
    match struck.map(|drop| drop.when) {
        Some(DropWhen::AfterCommit) => Ending::Cut,
        Some(DropWhen::MidBody) if !answer.body.is_empty() => {
            let half = answer.body.len() / 2;
            Ending::CutAt(answer, half)
        }
        _ => Ending::Answer(answer),
    }
}

/// A call that ran into its quota; what it wrote stays written.
pub(crate) fn over_quota(knobs: &Knobs, answer: Answer) -> Answer {
    // Half of the rows got out, but at least one: a body that never began is A11.
    let half = answer.rows.len().div_ceil(2);
    let end = half
        .checked_sub(1)
        .and_then(|last| answer.rows.get(last))
        .copied();
    let begun = end.and_then(|end| answer.body.get(..end));
    let tail = match (knobs.quota_form, begun) {
        (QuotaForm::Before, _) | (_, None) => return cancelled(),
        (QuotaForm::Appended, Some(_)) => "],\"error\":",
        (QuotaForm::Malformed, Some(_)) => "\"\" ],\"error\":",
    };
    let mut body = begun.unwrap_or_default().to_vec();
    body.extend(tail.as_bytes());
    body.extend(quota_error().to_string().as_bytes());
    body.extend(b",\"status\":\"failure\"}");
    Answer {
        status: 200,
        headers: answer.headers,
        body: Bytes::from(body),
        rows: Vec::new(),
    }
}

/// A11
fn cancelled() -> Answer {
    let document = json!({"error": quota_error(), "status": "failure"});
    let mut answer = Answer::json(500, &document);
    answer.headers = vec![("Content-Type".to_owned(), JSON.to_owned())];
    answer
}
