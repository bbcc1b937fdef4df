//! Knobs and faults over HTTP.

use serde_json::{Map, Value};

use super::{bad, body};
use crate::faults::Fault;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::lock::hold;
use crate::sim::Sim;

pub(super) fn read(sim: &Sim) -> Answer {
    Answer::json(200, &*sim.knobs())
}

/// Changes the knobs named in the body and leaves the others.
pub(super) fn change(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let change: Map<String, Value> = body(call)?;
    hold(&sim.board)
        .merge(&change)
        .map_err(|error| bad(&error.to_string()))?;
    Ok(read(sim))
}

pub(super) fn faults(sim: &Sim) -> Answer {
    Answer::json(200, &hold(&sim.board).faults())
}

pub(super) fn add_fault(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let fault: Fault = body(call)?;
    hold(&sim.board)
        .add(fault)
        .map_err(|error| bad(&error.to_string()))?;
    Ok(faults(sim))
}

pub(super) fn clear_faults(sim: &Sim) -> Answer {
    hold(&sim.board).clear_faults();
    Answer::empty(204)
}
