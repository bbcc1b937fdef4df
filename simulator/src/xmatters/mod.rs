//! The reading part of the xMatters API, `/api/xm/1` (wire contract 14), over the instance's own
//! users and groups, so that both systems tell of the same people.

mod page;
mod shape;

use serde_json::{Value, json};

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::world::{Fields, World};

/// Answers a call; `rest` is what follows `/api/xm/1`.
pub(crate) fn answer(api: &Api<'_>, rest: &[&str]) -> Answer {
    let world: &World = api.world;
    match (api.call.method.as_str(), rest) {
        ("GET", ["people"]) => page::people(api),
        ("GET", ["people", id]) => one(world, "sys_user", "user_name", id, "person", |user| {
            shape::person(world, user, &page::embeds(api))
        }),
        ("GET", ["groups"]) => page::groups(api),
        ("GET", ["groups", id]) => one(world, "sys_user_group", "name", id, "group", shape::group),
        ("GET", ["groups", id, "members"]) => page::members(api, id),
        ("GET", ["roles"]) => page::roles(api),
        (_, ["people" | "groups" | "roles", ..]) => {
            refusal(405, "Method Not Allowed", "Only GET is supported")
        }
        _ => refusal(404, "Not Found", "The requested resource does not exist"),
    }
}

/// One row by its id or its target name.
fn one(
    world: &World,
    table: &str,
    name_column: &str,
    id: &str,
    what: &str,
    shown: impl Fn(&Fields) -> Value,
) -> Answer {
    match find(world, table, name_column, id) {
        Some(row) => Answer::json(200, &shown(row)),
        None => missing(what, id),
    }
}

fn find<'w>(world: &'w World, table: &str, name_column: &str, id: &str) -> Option<&'w Fields> {
    let sys_id = id.replace('-', "").to_lowercase();
    let by_id = world
        .dump(table)
        .into_iter()
        .find(|row| row.sys_id().to_lowercase() == sys_id);
    by_id.or_else(|| world.find(table, name_column, id))
}

/// A19
fn missing(what: &str, id: &str) -> Answer {
    refusal(
        404,
        "Not Found",
        &format!("Could not find a {what} with id {id}"),
    )
}

fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    Answer::json(
        code,
        &json!({"code": code, "reason": reason, "message": message}),
    )
}
