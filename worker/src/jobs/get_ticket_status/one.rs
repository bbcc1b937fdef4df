//! One ticket, now: a push from ServiceNow or an operator asked for it.

use servicenow_client::{Error, ReadOptions};
use shared::budget::Class;
use uuid::Uuid;

use super::super::case::Case;
use super::super::mirror;
use super::{reconcile, rows};
use crate::effects::Effects;
use crate::outcome::{Finished, Ran};
use crate::run::Run;

pub(super) async fn run(run: &Run<'_>, request_id: Uuid) -> Ran {
    let case = Case::load(run, Class::Read, request_id).await?;
    let (true, Some(sys_id)) = (case.ticket.exists, &case.ticket.sys_id) else {
        return Ok(Finished::default());
    };
    let mut effects = Effects::default();
    match run
        .read(
            case.seat
                .table
                .get(sys_id, &ReadOptions::fields(mirror::COLUMNS)),
        )
        .await
    {
        Ok(reply) => rows::one(run, &case.ticket, &case.request, &reply.value, &mut effects),
        Err(Error::NotFound { .. }) if mirror::seen_lately(&case.ticket, run.now()) => {}
        Err(Error::NotFound { .. }) => {
            let wish = reconcile::hidden(&case.ticket, &case.request);
            let ticket = case.ticket.clone();
            effects
                .subjects
                .push(rows::subject(&case.ticket, ticket, Some(wish)));
        }
        Err(error) => return Err(case.seat.judge(run, &error).into()),
    }
    Ok(Finished::done(effects))
}
