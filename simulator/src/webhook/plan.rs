//! Which changes are told, when, and how often.

use chrono::TimeDelta;
use serde_json::json;

use super::{Planned, WebhookTarget};
use crate::dice::Dice;
use crate::lock::hold;
use crate::sim::Sim;
use crate::world::Change;

/// Plans a call for each change since the last time, with the accidents of the `webhook` knob.
pub(super) fn changes(
    sim: &Sim,
    target: &WebhookTarget,
    dice: &mut Dice,
    planned: &mut Vec<Planned>,
) {
    let knobs = sim.knobs().webhook.clone();
    let changes = hold(&sim.world).take_changes();
    let told = |change: &Change| target.tables.is_empty() || target.tables.contains(&change.table);
    for change in changes.into_iter().filter(told) {
        if dice.chance(knobs.drop) {
            sim.webhooks.count(|counts| counts.dropped += 1);
            continue;
        }
        let body = body(&change);
        let times = if dice.chance(knobs.duplicate) { 2 } else { 1 };
        // A call that is overtaken waits longer than any other may.
        let late = if dice.chance(knobs.reorder) {
            knobs.delay_ms + 1
        } else {
            0
        };
        for _ in 0..times {
            let delay = late + dice.up_to(knobs.delay_ms);
            let delay = TimeDelta::milliseconds(i64::try_from(delay).unwrap_or(i64::MAX));
            planned.push(Planned {
                due: change.at + delay,
                body: body.clone(),
            });
        }
    }
}

/// The hint of wire contract 13.3: which record, not what is in it.
fn body(change: &Change) -> String {
    let row = &change.fields;
    json!({
        "table": change.table, "sys_id": change.sys_id, "number": row.get("number"),
        "sys_mod_count": row.get("sys_mod_count"), "sys_updated_on": row.get("sys_updated_on"),
        "operation": change.operation, "correlation_id": row.get("correlation_id"),
    })
    .to_string()
}
