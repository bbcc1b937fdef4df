//! `/api/now/table` (wire contract 2).

pub(crate) mod body;
mod create;
mod list;
mod paging;
pub(crate) mod params;
mod read;
mod remove;
mod update;

pub(crate) use list::plan;

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;

/// Answers a Table API call; `rest` is what follows `table` in the path.
pub(crate) fn answer(api: &mut Api<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (api.call.method.as_str(), rest) {
        ("GET" | "HEAD", [table]) => list::answer(api, table),
        ("GET" | "HEAD", [table, id]) => read::answer(api, table, id),
        ("POST", [table]) => create::answer(api, table),
        ("PUT" | "PATCH", [table, id]) => update::answer(api, table, id),
        ("DELETE", [table, id]) => remove::answer(api, table, id),
        (_, [_] | [_, _]) => Err(Refusal::MethodNotSupported),
        _ => Err(Refusal::NoSuchResource),
    }
}
