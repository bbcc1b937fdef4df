//! The Attachment API, `/api/now/attachment` (wire contract 5).

mod limits;
mod list;
mod meta;
mod multipart;
mod rename;
mod store;
mod upload;

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::access::Verb;
use crate::world::{Act, Fields, Seen, World};

/// Answers an attachment call; `rest` is what follows `attachment` in the path.
pub(crate) fn answer(api: &mut Api<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (api.call.method.as_str(), rest) {
        ("GET" | "HEAD", []) => list::answer(api),
        ("GET" | "HEAD", [id]) => one(api, id),
        ("GET" | "HEAD", [id, "file"]) => file(api, id),
        ("POST", ["file"]) => upload::raw(api),
        ("POST", ["upload"]) => upload::form(api),
        ("PUT" | "PATCH", [id]) => rename::answer(api, id),
        ("DELETE", [id]) => remove(api, id),
        (_, [] | [_] | [_, "file"]) => Err(Refusal::MethodNotSupported),
        _ => Err(Refusal::NoSuchResource),
    }
}

/// The name of an attachment call in the log.
pub(crate) fn kind(method: &str, rest: &[&str]) -> String {
    let name = match (method, rest) {
        ("GET" | "HEAD", []) => "list",
        ("GET" | "HEAD", [_]) => "get",
        ("GET" | "HEAD", [_, "file"]) => "download",
        ("POST", ["file" | "upload"]) => "upload",
        ("PUT" | "PATCH", [_]) => "update",
        ("DELETE", [_]) => "delete",
        _ => "other",
    };
    format!("attachment.{name}")
}

fn one(api: &Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let row = visible(api.world, &api.act(), id)?;
    Ok(Answer::result(200, &meta::of(api, row)))
}

/// The bytes, with the metadata in a header.
fn file(api: &Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let row = visible(api.world, &api.act(), id)?;
    let bytes = api.world.files.get(id).cloned().ok_or(Refusal::NoRecord)?;
    let answer = Answer {
        status: 200,
        body: bytes.into(),
        ..Answer::default()
    };
    let name = row.get("file_name").replace('"', "");
    Ok(answer
        .with("Content-Type", row.get("content_type"))
        .with(
            "Content-Disposition",
            &format!("attachment; filename=\"{name}\""),
        )
        .with("X-Attachment-Metadata", &meta::of(api, row).to_string()))
}

fn remove(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let act = api.act();
    let row = visible(api.world, &act, id)?;
    if !follows_parent(api.world, &act, Verb::Write, row) {
        return Err(Refusal::Acl("Delete"));
    }
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..act
    };
    api.world.delete(&act, "sys_attachment", id)?;
    api.world.files.remove(id);
    Ok(Answer::empty(204))
}

/// # Errors
/// 404 for an attachment that is not there or whose record the caller does not see.
fn visible<'w>(world: &'w World, act: &Act<'_>, id: &str) -> Result<&'w Fields, Refusal> {
    world
        .row("sys_attachment", id)
        .and_then(|row| row.seen_at(act.now))
        .filter(|row| follows_parent(world, act, Verb::Read, row))
        .ok_or(Refusal::NoRecord)
}

/// Rights on an attachment are the rights on the record it hangs on.
fn follows_parent(world: &World, act: &Act<'_>, verb: Verb, row: &Fields) -> bool {
    let Some(parent) = world.row(row.get("table_name"), row.get("table_sys_id")) else {
        return act.actor.is_admin() || row.get("sys_created_by") == act.actor.user_name;
    };
    let seen = Seen {
        class: &parent.class,
        fields: &parent.fields,
    };
    world.sees_row(act, seen)
        && (verb == Verb::Read || world.may(act, verb, &parent.class, &parent.fields))
}
