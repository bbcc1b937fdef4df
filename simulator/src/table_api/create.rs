//! POST of one record.

use super::body;
use super::params::Params;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::World;

pub(super) fn answer(api: &mut Api<'_>, table: &str) -> Result<Answer, Refusal> {
    let params = Params::of(api.call);
    let given = body::read(&api.call.body)?;
    let act = api.act();
    let inserted = api.world.insert(&act, table, &given, params.input())?;
    let world: &World = api.world;
    let fields = world
        .fields(table, &inserted.sys_id)
        .ok_or(Refusal::NoRecord)?;
    let record = params.view(api, world).record(table, fields);
    let status = if inserted.updated { 200 } else { 201 };
    let location = format!(
        "{}{}/{}",
        api.sim.base_url,
        api.call.path.trim_end_matches('/'),
        inserted.sys_id
    );
    Ok(Answer::result(status, &record).with("Location", &location))
}
