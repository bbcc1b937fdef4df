//! What is always wrong with the instance while faults strike: lost and late answers, some of them after a commit.

use serde_json::{Value, json};
use simulator::{Fault, Knobs};

use super::installation::Installation;

/// Begins it. Journals can be read: without that nobody can tell a lost comment from a written one.
pub(super) fn begin(it: &Installation) {
    it.simulator.set_knobs(|knobs| {
        knobs.journal_hidden = false;
        knobs.latency_ms = 20;
    });
    let lost = json!({"connection_drop": {"when": "after_commit", "probability": 0.05}});
    let cut = json!({"connection_drop": {"when": "mid_body", "probability": 0.02}});
    lay(it, "POST", None, &json!({"post_commits_then_500": 0.05}));
    lay(it, "POST", None, &lost);
    lay(it, "PATCH", None, &lost);
    lay(it, "GET", None, &cut);
}

/// Ends all that is wrong with the instance.
pub(super) fn clear(it: &Installation) {
    it.simulator.clear_faults();
    it.simulator.set_knobs(|knobs| {
        *knobs = Knobs {
            journal_hidden: false,
            ..Knobs::default()
        };
    });
}

/// Strikes the next `times` calls of `method`, or of any (`*`).
pub(super) fn strike(it: &Installation, method: &str, times: u32, set: &Value) {
    lay(it, method, Some(times), set);
}

/// Lays a fault over calls to the API; the token endpoint is spared.
fn lay(it: &Installation, method: &str, times: Option<u32>, set: &Value) {
    let fault = Fault {
        method: (method != "*").then(|| method.to_owned()),
        path: Some("/api".to_owned()),
        times,
        set: set.as_object().cloned().unwrap_or_default(),
        ..Fault::default()
    };
    it.simulator.add_fault(fault).expect("these knobs exist");
}
