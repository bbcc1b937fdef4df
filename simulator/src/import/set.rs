//! Import sets: one a day and staging table, and the rows in them.

use std::collections::BTreeMap;

use crate::refusal::Refusal;
use crate::world::{Act, Input, World};

/// The set of the act's day, made when it is first needed.
pub(super) fn of_today(world: &mut World, act: &Act<'_>, staging: &str) -> Result<String, Refusal> {
    let day = act.now.format("%Y-%m-%d").to_string();
    let today = world
        .all_with("sys_import_set", "table_name", staging)
        .find(|set| set.get("sys_created_on").starts_with(&day))
        .map(|set| set.sys_id().to_owned());
    match today {
        Some(set) => Ok(set),
        None => world.make(
            act,
            "sys_import_set",
            &[
                ("table_name", staging),
                ("state", "processed"),
                ("mode", "synchronous"),
            ],
        ),
    }
}

pub(super) fn number(world: &World, set: &str) -> String {
    let set = world.fields("sys_import_set", set);
    set.map_or(String::new(), |set| set.get("number").to_owned())
}

/// Writes one row of the staging table; columns it does not have are dropped.
pub(super) fn stage(
    world: &mut World,
    act: &Act<'_>,
    staging: &str,
    set: &str,
    mut given: BTreeMap<String, String>,
) -> Result<String, Refusal> {
    given.insert("sys_import_set".to_owned(), set.to_owned());
    given.insert("sys_import_state".to_owned(), "pending".to_owned());
    Ok(world.insert(act, staging, &given, Input::Raw)?.sys_id)
}
