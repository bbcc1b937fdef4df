//! PATCH and PUT of one record: both change the fields that are sent (wire contract 2.1).

use super::body;
use super::params::Params;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::World;

pub(super) fn answer(api: &mut Api<'_>, table: &str, id: &str) -> Result<Answer, Refusal> {
    let params = Params::of(api.call);
    let given = body::read(&api.call.body)?;
    let act = api.act();
    api.world.update(&act, table, id, &given, params.input())?;
    let world: &World = api.world;
    let fields = world.fields(table, id).ok_or(Refusal::NoRecord)?;
    Ok(Answer::result(
        200,
        &params.view(api, world).record(table, fields),
    ))
}
