//! GET of many: query, page, then the rights on the records behind.

use serde_json::Value;

use super::{follows_parent, meta};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::query;
use crate::refusal::Refusal;
use crate::table_api::params::Params;
use crate::table_api::plan;
use crate::world::access::Verb;

/// Rows of a list when `sysparm_limit` is not given.
const DEFAULT_LIMIT: usize = 1000;

pub(super) fn answer(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    let params = Params::of(api.call);
    let act = api.act();
    let mut dice = api.world.dice.fork();
    let api: &Api<'_> = api;
    let plan = plan(api.world, &act, "sys_attachment", &params)?;
    let rows = query::select(api.world, &act, "sys_attachment", &plan, &mut dice);
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let page = rows
        .iter()
        .skip(number("sysparm_offset").unwrap_or(0))
        .take(number("sysparm_limit").unwrap_or(DEFAULT_LIMIT));
    let shown: Vec<Value> = page
        .filter(|row| follows_parent(api.world, &act, Verb::Read, row.fields))
        .map(|row| meta::of(api, row.fields))
        .collect();
    Ok(Answer::list(&shown).with("X-Total-Count", &rows.len().to_string()))
}
