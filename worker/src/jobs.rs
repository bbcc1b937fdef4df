//! The jobs: one file each. A handler calls the outside and returns what is to be written; it writes nothing itself, but for what
//! must be on record before a call.

use shared::job::Payload;

use crate::outcome::{Finished, Ran};
use crate::run::Run;

pub(crate) mod again;
mod case;
mod check_choices;
mod check_connection;
mod check_drift;
mod create_ticket;
pub(crate) mod deliver_callback;
mod get_ticket_status;
mod load;
pub(crate) mod mirror;
mod update_servicenow_status;

pub(crate) use load::Loads;

/// Runs the handler of a payload.
pub(crate) async fn run(run: &Run<'_>, payload: Payload) -> Finished {
    let ran: Ran = match payload {
        Payload::CreateTicket(it) => create_ticket::run(run, it.request_id).await,
        Payload::GetTicketStatus(read) => get_ticket_status::run(run, read).await,
        Payload::UpdateServicenowStatus(it) => {
            update_servicenow_status::run(run, it.request_id).await
        }
        Payload::DeliverCallback(it) => deliver_callback::run(run, it.request_id).await,
        Payload::CheckDrift(check) => check_drift::run(run, check).await,
        Payload::CheckConnection(check) => check_connection::run(run, check).await,
        Payload::CheckChoices(check) => check_choices::run(run, check).await,
    };
    ran.unwrap_or_else(|ended| *ended)
}
