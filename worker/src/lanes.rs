//! The lanes of a job kind.

use shared::job::{JobKind, lane_name};
use shared::queue::{InvalidLane, Lane};

use crate::context::Context;

/// One lane a connection, and a single one for callbacks: instances have separate queues (T25).
pub(crate) fn of(ctx: &Context, kind: JobKind) -> Result<Vec<Lane>, InvalidLane> {
    match kind {
        JobKind::DeliverCallback => Ok(vec![lane_name(kind, None).parse()?]),
        JobKind::CreateTicket
        | JobKind::GetTicketStatus
        | JobKind::UpdateServicenowStatus
        | JobKind::CheckDrift
        | JobKind::CheckConnection
        | JobKind::CheckChoices => ctx
            .connections
            .iter()
            .map(|connection| lane_name(kind, Some(&connection.name)).parse())
            .collect(),
    }
}
