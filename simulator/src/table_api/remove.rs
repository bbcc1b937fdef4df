//! DELETE of one record.

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;

pub(super) fn answer(api: &mut Api<'_>, table: &str, id: &str) -> Result<Answer, Refusal> {
    let act = api.act();
    api.world.delete(&act, table, id)?;
    Ok(Answer::empty(204))
}
