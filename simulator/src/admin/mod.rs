//! `/_sim`: the hand on the instance. Not part of the fake API; no fault strikes it.

mod agent;
mod knobs;
mod state;
mod webhook;

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::sim::Sim;

/// Answers an administrative call; errors are `{"error": "…"}` with a status of 4xx.
pub(crate) fn answer(sim: &Sim, call: &Call) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let result = match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["knobs"]) => Ok(knobs::read(sim)),
        ("PUT" | "PATCH", ["knobs"]) => knobs::change(sim, call),
        ("GET", ["faults"]) => Ok(knobs::faults(sim)),
        ("POST", ["faults"]) => knobs::add_fault(sim, call),
        ("DELETE", ["faults"]) => Ok(knobs::clear_faults(sim)),
        ("GET", ["log"]) => state::log(sim, call),
        ("DELETE", ["log"]) => Ok(state::clear_log(sim)),
        ("GET", ["state"]) => Ok(state::dump(sim, None)),
        ("GET", ["state", table]) => Ok(state::dump(sim, Some(table))),
        ("GET", ["clock"]) => Ok(state::clock(sim)),
        ("POST", ["clock", "advance"]) => state::advance(sim, call),
        ("POST", ["agent"]) => agent::act(sim, call),
        ("POST", ["tokens", "revoke"]) => Ok(state::revoke_tokens(sim)),
        ("POST", ["reset"]) => state::reset(sim),
        ("GET", ["webhook"]) => Ok(webhook::show(sim)),
        ("PUT", ["webhook"]) => webhook::set(sim, call),
        ("DELETE", ["webhook"]) => Ok(webhook::clear(sim)),
        _ => Err(Answer::json(
            404,
            &json!({"error": format!("no such function: {} {}", call.method, call.path)}),
        )),
    };
    result.unwrap_or_else(|error| error)
}

/// The call's JSON body; an error names what does not fit.
fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Answer> {
    let bytes: &[u8] = if call.body.is_empty() {
        b"{}"
    } else {
        &call.body
    };
    serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))
}

fn bad(message: &str) -> Answer {
    Answer::json(400, &json!({"error": message}))
}
