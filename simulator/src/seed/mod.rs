//! Stock data of an out-of-box instance. All people are fictional.

mod history;
pub(crate) mod id;
mod rows;
mod tickets;

use chrono::{DateTime, TimeDelta, Utc};

use crate::knobs::Knobs;
use crate::refusal::Refusal;
use crate::world::dictionary::Table;
use crate::world::{Act, Actor, World};

/// The dictionary, part by part.
const TABLES: &[&str] = &[
    include_str!("../../data/tables/platform.json"),
    include_str!("../../data/tables/people.json"),
    include_str!("../../data/tables/task.json"),
    include_str!("../../data/tables/catalog.json"),
];

/// Stock rows were made so long before the instance was started.
const AGE: TimeDelta = TimeDelta::days(30);

/// A fresh instance at `now`.
///
/// # Errors
/// Stock data that the instance itself refuses; a mistake in the data files.
pub(crate) fn world(seed: u64, now: DateTime<Utc>, knobs: &Knobs) -> Result<World, Refusal> {
    let mut world = World::new(seed);
    for part in TABLES {
        let tables: std::collections::BTreeMap<String, Table> =
            serde_json::from_str(part).map_err(|error| Refusal::BadBody(error.to_string()))?;
        for (name, table) in tables {
            world.dictionary.add(&name, table);
        }
    }
    let system = Actor::system();
    let knobs = Knobs {
        visible_delay_ms: 0,
        ..knobs.clone()
    };
    let act = Act {
        actor: &system,
        knobs: &knobs,
        now: now - AGE,
    };
    world.describe_schema(&act)?;
    rows::choices(&mut world, &act)?;
    rows::stock(&mut world, &act)?;
    world.derive_roles(&act);
    tickets::add(&mut world, &act)?;
    history::add(&mut world, &act);
    world.forget_agenda();
    world.take_changes();
    Ok(world)
}
