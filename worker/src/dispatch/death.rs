//! What the end of a job means for its request: a dead create denies it, everything else calls a human.

use shared::job::{Claimed, JobKind};
use shared::request::RequestState;
use tracing::error;

use super::poison;
use crate::attention::Attention;
use crate::effects::{Effects, Subject, Wish};

/// A job is dead. A create that can never succeed denies its request, and the requester may ask again (T16); a ticket that does
/// not follow, or a source that does not hear, is flagged (T17). So is a create that may have made its ticket all the same.
pub(super) fn mourn(job: &Claimed, class: &str, reason: &str, effects: &mut Effects) {
    error!(job = %job.id, kind = job.kind, class, reason, "a job is dead");
    let Some(request_id) = job.request_id else {
        return;
    };
    let wish = match job.kind.parse() {
        // Its ticket may be there: nobody was left to see the answer.
        Ok(JobKind::CreateTicket)
            if class == poison::CLASS || was_run_before_it_was_killed(job, class) =>
        {
            Wish::of(request_id, "ticket.given_up").raise(Attention::MayExist(reason))
        }
        Ok(JobKind::CreateTicket) => Wish::of(request_id, "request.denied").enter(
            RequestState::Denied,
            Some(format!(
                "No ticket could be made: {reason}. The request may be asked again."
            )),
        ),
        Ok(JobKind::UpdateServicenowStatus) => {
            Wish::of(request_id, "ticket.not_updated").raise(Attention::NotUpdated(reason))
        }
        Ok(JobKind::DeliverCallback) => {
            Wish::of(request_id, Wish::CALLBACK_DEAD).raise(Attention::NotTold(reason))
        }
        Ok(JobKind::GetTicketStatus) => {
            Wish::of(request_id, "ticket.not_read").raise(Attention::NotRead(reason))
        }
        Ok(JobKind::CheckDrift | JobKind::CheckConnection | JobKind::CheckChoices) | Err(_) => {
            return;
        }
    };
    push(effects, wish);
}

/// A job is parked: whoever looks at its request sees why nothing happens.
pub(super) fn parked(job: &Claimed, reason: &str, effects: &mut Effects) {
    error!(job = %job.id, kind = job.kind, reason, "a job is parked until somebody mends the configuration");
    if let Some(request_id) = job.request_id {
        push(
            effects,
            Wish::of(request_id, "job.parked").raise(Attention::Parked(reason)),
        );
    }
}

fn was_run_before_it_was_killed(job: &Claimed, class: &str) -> bool {
    class == poison::KILLED && job.lease.token > 1
}

fn push(effects: &mut Effects, wish: Wish) {
    effects.subjects.push(Subject {
        wish: Some(wish),
        ..Subject::default()
    });
}
