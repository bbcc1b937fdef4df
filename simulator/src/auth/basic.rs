//! Basic authentication with the restriction of 2026 (wire contract 10.2).

use super::password::{self, Wrong};
use crate::knobs::{BasicRestriction, Knobs};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::world::{Act, Actor, World};

/// The role that lets an interactive account use Basic authentication.
const ALLOWED_ROLE: &str = "snc_basic_auth_api_access";

pub(super) fn check(
    sim: &Sim,
    knobs: &Knobs,
    user_name: &str,
    given: &str,
) -> Result<Actor, Refusal> {
    let system = Actor::system();
    let act = Act {
        actor: &system,
        knobs,
        now: sim.clock.now(),
    };
    let mut world = hold(&sim.world);
    let right = password::check(&mut world, &act, user_name, given).map_err(|wrong| {
        Refusal::Unauthenticated {
            text: knobs.auth_text,
            mfa: wrong == Wrong::SecondFactor,
        }
    })?;
    let denied = Refusal::Unauthenticated {
        text: knobs.auth_text,
        mfa: false,
    };
    let actor = Actor::by_id(&world, knobs, &right.user_id).ok_or(denied.clone())?;
    if right.second_factor
        || knobs.basic_restriction == BasicRestriction::Off
        || is_exempt(&world, &actor)
    {
        return Ok(actor);
    }
    let enforce = knobs.basic_restriction == BasicRestriction::Enforce;
    note(&mut world, &act, &actor.user_name, enforce)?;
    if enforce { Err(denied) } else { Ok(actor) }
}

/// Web-service-only users and holders of the role; `admin` is no exemption.
fn is_exempt(world: &World, actor: &Actor) -> bool {
    let service = world
        .fields("sys_user", &actor.id)
        .is_some_and(|user| user.is_true("web_service_access_only"));
    service || actor.roles.contains(ALLOWED_ROLE)
}

fn note(world: &mut World, act: &Act<'_>, user_name: &str, enforce: bool) -> Result<(), Refusal> {
    let verb = if enforce { "denied" } else { "would deny" };
    let message = format!(
        "SNCRestrictBasicAuthUserAuthenticationGate: {verb} basic-auth API call for interactive-login user [{user_name}] under enforce={enforce}"
    );
    world
        .make(
            act,
            "syslog",
            &[
                ("level", "1"),
                ("message", &message),
                ("source", "Authentication"),
            ],
        )
        .map(drop)
}
