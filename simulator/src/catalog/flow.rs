//! The flow of an ordered item: approve it, then make the task its fulfilment group works on.

use crate::refusal::Refusal;
use crate::world::{Act, World};

/// Lets the flow of an item row run `async_tasks_ms` after the order.
pub(super) fn start(world: &mut World, act: &Act<'_>, row: &str) {
    let row = row.to_owned();
    let work = move |world: &mut World, act: &Act<'_>| {
        if let Err(refusal) = run(world, act, &row) {
            tracing::warn!(?refusal, item = %row, "the flow of an ordered item stopped");
        }
    };
    world.later(act, act.knobs.async_tasks_ms, Box::new(work));
}

/// Does nothing for an item that was closed or deleted meanwhile.
fn run(world: &mut World, act: &Act<'_>, row: &str) -> Result<(), Refusal> {
    let Some(item_row) = world
        .fields("sc_req_item", row)
        .filter(|item_row| item_row.is_true("active"))
        .cloned()
    else {
        return Ok(());
    };
    let request = item_row.get("request");
    let approved = [
        ("approval", "approved"),
        ("request_state", "in_process"),
        ("stage", "request_approved"),
    ];
    if world
        .fields("sc_request", request)
        .is_some_and(|request| request.get("request_state") == "requested")
    {
        world.change(act, "sc_request", request, &approved)?;
    }
    let moved = [("approval", "approved"), ("stage", "fulfillment")];
    world.change(act, "sc_req_item", row, &moved)?;
    let group = world
        .fields("sc_cat_item", item_row.get("cat_item"))
        .map_or("", |item| item.get("group"))
        .to_owned();
    let task = [
        ("request_item", row),
        ("request", request),
        ("parent", row),
        ("short_description", item_row.get("short_description")),
        ("assignment_group", &group),
        ("sc_catalog", item_row.get("sc_catalog")),
    ];
    world.make(act, "sc_task", &task)?;
    Ok(())
}
