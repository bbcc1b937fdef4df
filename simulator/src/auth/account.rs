//! Whether an account may be used at all.

use crate::knobs::Knobs;
use crate::lock::hold;
use crate::sim::Sim;
use crate::world::{Actor, Fields};

/// Active and not locked out.
pub(super) fn usable(user: &Fields) -> bool {
    user.is_true("active") && !user.is_true("locked_out")
}

pub(super) fn by_id(sim: &Sim, knobs: &Knobs, id: &str) -> Option<Actor> {
    let world = hold(&sim.world);
    world.fields("sys_user", id).filter(|user| usable(user))?;
    Actor::by_id(&world, knobs, id)
}

pub(super) fn by_user_name(sim: &Sim, knobs: &Knobs, user_name: &str) -> Option<Actor> {
    let world = hold(&sim.world);
    world
        .find("sys_user", "user_name", user_name)
        .filter(|user| usable(user))?;
    Actor::by_user_name(&world, knobs, user_name)
}
