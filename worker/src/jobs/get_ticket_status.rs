//! `get_ticket_status.v1`: what ServiceNow did to our tickets (T7, T9, T11, T12, T18; wire contract 2.10).
//!
//! Polling is the truth; a push or an operator only makes a read due now.

use shared::job::StatusRead;

use crate::outcome::Ran;
use crate::run::Run;

mod changes;
mod one;
pub(super) mod reconcile;
pub(super) mod rows;
pub(super) mod zone;

pub(super) async fn run(run: &Run<'_>, read: StatusRead) -> Ran {
    match read {
        StatusRead::Changes {
            connection,
            table,
            after,
        } => changes::run(run, &connection, &table, after).await,
        StatusRead::Reconcile {
            connection,
            table,
            after,
        } => reconcile::run(run, &connection, &table, after).await,
        StatusRead::One { request_id } => one::run(run, request_id).await,
    }
}
