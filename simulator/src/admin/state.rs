//! Log, dump, clock and reset over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{bad, body};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::lock::hold;
use crate::log::CallFilter;
use crate::sim::Sim;

/// `?kind=table.create&table=incident…`; with `count=true` only the number.
pub(super) fn log(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let mut params: BTreeMap<String, String> = call.params().into_iter().collect();
    let counting = params.remove("count").is_some_and(|count| count == "true");
    let members = params.into_iter().map(|(name, value)| {
        let number = matches!(name.as_str(), "status" | "after")
            .then(|| value.parse::<u64>().ok())
            .flatten();
        (
            name,
            number.map_or_else(|| Value::String(value), Value::from),
        )
    });
    let filter: CallFilter = serde_json::from_value(Value::Object(members.collect()))
        .map_err(|error| bad(&error.to_string()))?;
    if counting {
        return Ok(Answer::json(200, &json!({"count": sim.log.count(&filter)})));
    }
    let calls = sim.log.read(&filter);
    Ok(Answer::json(
        200,
        &json!({"count": calls.len(), "calls": calls}),
    ))
}

pub(super) fn clear_log(sim: &Sim) -> Answer {
    sim.log.clear();
    Answer::empty(204)
}

/// All rows of one table with its children, or of all tables by class, as their writers left them.
pub(super) fn dump(sim: &Sim, table: Option<&str>) -> Answer {
    sim.tick();
    let world = hold(&sim.world);
    let tables = match table {
        Some(table) => std::iter::once((table, world.dump(table))).collect(),
        None => world.dump_all(),
    };
    Answer::json(200, &json!({"tables": tables}))
}

pub(super) fn clock(sim: &Sim) -> Answer {
    Answer::json(200, &json!({"now": sim.clock.now()}))
}

/// How far to move the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    seconds: u64,
    #[serde(default)]
    millis: u64,
}

pub(super) fn advance(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let step: Step = body(call)?;
    sim.clock
        .advance(Duration::from_secs(step.seconds) + Duration::from_millis(step.millis));
    Ok(clock(sim))
}

pub(super) fn revoke_tokens(sim: &Sim) -> Answer {
    hold(&sim.tokens).revoke_all();
    Answer::empty(204)
}

pub(super) fn reset(sim: &Sim) -> Result<Answer, Answer> {
    sim.reset()
        .map_err(|refusal| bad(&format!("the seed was refused: {refusal:?}")))?;
    Ok(Answer::empty(204))
}
