//! Transform maps: from a staged row to a row of the target table, found by the map's key fields.

use std::collections::BTreeMap;

use crate::refusal::Refusal;
use crate::world::{Act, Fields, Input, World};

/// What became of a staged row.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) map: String,
    pub(super) table: String,
    pub(super) target: String,
    /// `inserted`, `updated`, `ignored` or `error`.
    pub(super) status: String,
    pub(super) message: String,
}

impl Outcome {
    pub(super) fn failed(message: &str) -> Self {
        Self {
            status: "error".to_owned(),
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// As the staged row remembers it.
    pub(super) fn of_row(row: &Fields) -> Self {
        Self {
            map: row.get("sys_transform_map").to_owned(),
            table: row.get("sys_target_table").to_owned(),
            target: row.get("sys_target_sys_id").to_owned(),
            status: row.get("sys_import_state").to_owned(),
            message: row.get("sys_import_state_comment").to_owned(),
        }
    }
}

/// A field of the staging table and where it goes.
struct Entry {
    source: String,
    target: String,
    key: bool,
}

/// Transforms one staged row and notes the outcome on it.
///
/// # Errors
/// Only when the staged row itself cannot be written.
pub(super) fn run(
    world: &mut World,
    act: &Act<'_>,
    staging: &str,
    row: &str,
) -> Result<Outcome, Refusal> {
    let outcome = transformed(world, act, staging, row);
    let note = [
        ("sys_transform_map", outcome.map.as_str()),
        ("sys_target_table", &outcome.table),
        ("sys_target_sys_id", &outcome.target),
        ("sys_import_state", &outcome.status),
        ("sys_import_state_comment", &outcome.message),
    ];
    world.change(act, staging, row, &note)?;
    Ok(outcome)
}

fn transformed(world: &mut World, act: &Act<'_>, staging: &str, row: &str) -> Outcome {
    let map = world
        .all_with("sys_transform_map", "source_table", staging)
        .find(|map| map.is_true("active"))
        .cloned();
    let (Some(map), Some(row)) = (map, world.fields(staging, row).cloned()) else {
        return Outcome::failed("No transform map found for the staging table");
    };
    let table = map.get("target_table").to_owned();
    let entries = entries(world, map.sys_id());
    let values: BTreeMap<String, String> = entries
        .iter()
        .map(|entry| (entry.target.clone(), row.get(&entry.source).to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let found = existing(world, &table, &entries, &values);
    let done = match found {
        Some(id) => world
            .update(act, &table, &id, &values, Input::Display)
            .map(|changed| (id, if changed { "updated" } else { "ignored" })),
        None => world
            .insert(act, &table, &values, Input::Display)
            .map(|inserted| (inserted.sys_id, "inserted")),
    };
    let mut outcome = Outcome {
        map: map.get("name").to_owned(),
        table,
        ..Outcome::default()
    };
    match done {
        Ok((target, status)) => {
            outcome.target = target;
            status.clone_into(&mut outcome.status);
            if status == "ignored" {
                "No field values changed".clone_into(&mut outcome.message);
            }
        }
        Err(refusal) => {
            "error".clone_into(&mut outcome.status);
            outcome.message = refusal.text();
        }
    }
    outcome
}

fn entries(world: &World, map: &str) -> Vec<Entry> {
    let rows = world.all_with("sys_transform_entry", "map", map);
    rows.map(|row| Entry {
        source: row.get("source_field").to_owned(),
        target: row.get("target_field").to_owned(),
        key: row.is_true("coalesce"),
    })
    .collect()
}

/// The first row whose key fields all match without regard to case; empty keys match nothing.
fn existing(
    world: &World,
    table: &str,
    entries: &[Entry],
    values: &BTreeMap<String, String>,
) -> Option<String> {
    let keys: Vec<&Entry> = entries.iter().filter(|entry| entry.key).collect();
    let has_all = keys.iter().all(|key| values.contains_key(&key.target));
    if keys.is_empty() || !has_all {
        return None;
    }
    let rows = world.dump(table).into_iter();
    let mut rows = rows.filter(|row| {
        keys.iter().all(|key| {
            let wanted = values.get(&key.target).map_or("", String::as_str);
            row.get(&key.target).to_lowercase() == wanted.to_lowercase()
        })
    });
    rows.next().map(|row| row.sys_id().to_owned())
}
