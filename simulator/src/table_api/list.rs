//! GET of a table: query, page, then row ACLs (wire contract 2.5).

use super::paging;
use super::params::Params;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::query::{self, Plan};
use crate::refusal::Refusal;
use crate::shape::Record;
use crate::world::{Act, Seen, World};

pub(super) fn answer(api: &mut Api<'_>, table: &str) -> Result<Answer, Refusal> {
    let params = Params::of(api.call);
    let act = api.act();
    let mut dice = api.world.dice.fork();
    let world: &World = api.world;
    if world.dictionary.table(table).is_none() {
        return Err(Refusal::InvalidTable(table.to_owned()));
    }
    world.check_readable(&act, table)?;
    let plan = plan(world, &act, table, &params)?;
    let offset = paging::offset(&params)?;
    let mut rows = query::select(world, &act, table, &plan, &mut dice);
    if !act.knobs.row_acl_after_limit {
        rows.retain(|row| world.sees_row(&act, *row));
    }
    let total = rows.len();
    let page = rows.into_iter().skip(offset).take(params.limit());
    let page: Vec<Seen<'_>> = page.filter(|row| world.sees_row(&act, *row)).collect();
    if page.is_empty() && api.version == Some(1) && act.knobs.empty_list_status_v1 != 200 {
        return Err(Refusal::EmptyListV1(act.knobs.empty_list_status_v1));
    }
    let view = params.view(api, world);
    let records: Vec<Record> = page
        .iter()
        .map(|row| view.record(table, row.fields))
        .collect();
    Ok(paging::mark(
        api,
        &params,
        offset,
        total,
        Answer::list(&records),
    ))
}

/// The encoded query and the plain filters as one plan.
pub(crate) fn plan(
    world: &World,
    act: &Act<'_>,
    table: &str,
    params: &Params,
) -> Result<Plan, Refusal> {
    let text = params.get("sysparm_query").unwrap_or_default();
    let mut plan = Plan::new(world, act, table, &query::parse(text))?;
    for (name, value) in params.others() {
        if let Some(test) = query::plain_filter(world, act, table, name, value) {
            plan.and(&test?);
        }
    }
    Ok(plan)
}
