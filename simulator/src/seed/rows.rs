//! Reading the data files: `@name` stands for the stable sys_id of a stock row.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::id;
use crate::refusal::Refusal;
use crate::world::{Act, World};

const CHOICES: &str = include_str!("../../data/choices.json");

/// In the order in which the rows need each other.
const ROWS: &[&str] = &[
    include_str!("../../data/people.json"),
    include_str!("../../data/platform.json"),
    include_str!("../../data/catalog.json"),
];

/// API keys and the user each acts as.
const API_KEYS: &[(&str, &str)] = &[("ticketbridge-demo-key", "ticketbridge.integration")];

/// Rows of one table, in columns to keep the files short.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// `sys_choice` from `"table.element": "value=Label|…"`.
pub(super) fn choices(world: &mut World, act: &Act<'_>) -> Result<(), Refusal> {
    let lists: BTreeMap<String, String> = serde_json::from_str(CHOICES).map_err(bad)?;
    for (place, list) in lists {
        let (table, element) = place.split_once('.').unwrap_or((&place, ""));
        for (sequence, choice) in list.split('|').enumerate() {
            let (value, label) = choice.split_once('=').unwrap_or((choice, choice));
            let sequence = (sequence * 10).to_string();
            let own = id::of("sys_choice", &format!("{place}.{value}"));
            let values = [
                ("sys_id", own.as_str()),
                ("name", table),
                ("element", element),
                ("value", value),
                ("label", label),
                ("sequence", &sequence),
            ];
            world.make(act, "sys_choice", &values)?;
        }
    }
    Ok(())
}

/// All other stock rows, and the passwords and API keys of the stock accounts.
pub(super) fn stock(world: &mut World, act: &Act<'_>) -> Result<(), Refusal> {
    for file in ROWS {
        let sheets: Vec<Sheet> = serde_json::from_str(file).map_err(bad)?;
        for sheet in &sheets {
            for row in &sheet.rows {
                add(world, act, sheet, row)?;
            }
        }
    }
    for (key, user) in API_KEYS {
        world
            .api_keys
            .insert((*key).to_owned(), id::of("sys_user", user));
    }
    Ok(())
}

fn add(world: &mut World, act: &Act<'_>, sheet: &Sheet, row: &[String]) -> Result<(), Refusal> {
    let mut values: Vec<(&str, String)> = Vec::new();
    let mut password = None;
    for (column, value) in sheet.columns.iter().zip(row) {
        match column.as_str() {
            "password" => password = Some(value.clone()),
            _ => values.push((column, resolve(world, &sheet.table, column, value))),
        }
    }
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(column, value)| (*column, value.as_str()))
        .collect();
    let made = world.make(act, &sheet.table, &values)?;
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        world.passwords.insert(made, password);
    }
    Ok(())
}

/// `@name` in `sys_id` names the row itself, elsewhere a row of the table the column points to.
fn resolve(world: &World, table: &str, column: &str, value: &str) -> String {
    let Some(name) = value.strip_prefix('@') else {
        return value.to_owned();
    };
    let target = match column {
        "sys_id" => table,
        _ => world
            .dictionary
            .column(table, column)
            .and_then(|column| column.reference.as_deref())
            .unwrap_or(table),
    };
    let known = ALIASES
        .iter()
        .find(|(known_table, known, _)| *known_table == target && *known == name);
    known.map_or_else(
        || id::of(target, name),
        |(_, _, sys_id)| (*sys_id).to_owned(),
    )
}

/// Rows whose sys_ids are the same on every real instance, and some of unusual shape.
const ALIASES: &[(&str, &str, &str)] = &[
    ("sys_user", "admin", "6816f79cc0a8016401c5a33be04be441"),
    (
        "sys_user",
        "problem.admin",
        "26fbff173b331300ad3cc9bb34efc4bd",
    ),
    ("sys_user_role", "admin", "2831a114c611228501d4ea6c309d626d"),
    ("sys_user_role", "itil", "282bf1fac6112285017366cb5f867469"),
    ("sys_user_role", "badge_reader", "badge_reader_role"),
    (
        "sys_user",
        "natasha.ingram",
        "46c5bf6ca9fe1981010713e3ac7d3384",
    ),
    (
        "cmn_department",
        "Finance",
        "a581ab703710200044e0bfc8bcbe5de8",
    ),
    ("cmn_location", "annex", "4"),
    (
        "core_company",
        "Example Corp",
        "31BEA3D53790200044E0BFC8BCBE5DEC",
    ),
];

#[expect(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the error away"
)]
fn bad(error: serde_json::Error) -> Refusal {
    Refusal::BadBody(error.to_string())
}
