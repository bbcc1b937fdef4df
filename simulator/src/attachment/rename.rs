//! PATCH of an attachment: only its name can change.

use std::collections::BTreeMap;

use super::limits::refused;
use super::{follows_parent, visible};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::table_api::body;
use crate::world::access::Verb;
use crate::world::{Act, Input};

pub(super) fn answer(api: &mut Api<'_>, id: &str) -> Result<Answer, Refusal> {
    let mut given = body::read(&api.call.body)?;
    let name = given
        .remove("file_name")
        .filter(|name| !name.trim().is_empty())
        .ok_or_else(|| refused("Missing required parameter: file_name"))?;
    let act = api.act();
    let row = visible(api.world, &act, id)?;
    if !follows_parent(api.world, &act, Verb::Write, row) {
        return Err(Refusal::Acl("Update"));
    }
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..act
    };
    let change = BTreeMap::from([("file_name".to_owned(), name)]);
    api.world
        .update(&act, "sys_attachment", id, &change, Input::Raw)?;
    Ok(Answer::empty(204))
}
