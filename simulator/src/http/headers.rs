//! The headers every answer of an instance carries (wire contract 1.3).

use chrono::TimeDelta;

use super::answer::Answer;
use super::pipeline::Ending;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::sim::Sim;

/// Adds them to whatever is sent.
pub(crate) fn decorate(sim: &Sim, knobs: &Knobs, ending: Ending) -> Ending {
    match ending {
        Ending::Answer(answer) => Ending::Answer(usual(sim, knobs, answer)),
        Ending::CutAt(answer, at) => Ending::CutAt(usual(sim, knobs, answer), at),
        Ending::Cut => Ending::Cut,
    }
}

fn usual(sim: &Sim, knobs: &Knobs, answer: Answer) -> Answer {
    let now = sim.clock.now() + TimeDelta::seconds(knobs.clock_skew_s);
    let transaction: String = hold(&sim.dice).sys_id().chars().take(12).collect();
    answer
        .with("Date", &now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .with("Server", "ServiceNow")
        .with("X-Transaction-ID", &transaction)
        .with(
            "Cache-Control",
            "no-cache,no-store,must-revalidate,max-age=-1",
        )
        .with("Pragma", "no-store,no-cache")
        .with(
            "Strict-Transport-Security",
            "max-age=63072000; includeSubDomains",
        )
}
