//! GET of one record.

use super::params::Params;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Seen, World};

pub(super) fn answer(api: &mut Api<'_>, table: &str, id: &str) -> Result<Answer, Refusal> {
    let world: &World = api.world;
    if world.dictionary.table(table).is_none() {
        return Err(Refusal::InvalidTable(table.to_owned()));
    }
    let act = api.act();
    let row = world.row(table, id).ok_or(Refusal::NoRecord)?;
    let fields = row.seen_at(api.now).ok_or(Refusal::NoRecord)?;
    if !world.sees_row(
        &act,
        Seen {
            class: &row.class,
            fields,
        },
    ) {
        return Err(Refusal::NoRecord);
    }
    let params = Params::of(api.call);
    Ok(Answer::result(
        200,
        &params.view(api, world).record(table, fields),
    ))
}
