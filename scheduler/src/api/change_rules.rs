//! Whether a source may say what it says about a request, and what that does.

use shared::request::Request;

use super::mastery::{Effect, effect};
use super::problem::{FieldError, Problem};
use super::problem_kind::Kind;
use super::status_change::{StatusChange, Word};
use crate::Scheduler;

/// What the change does, if the source may say it and the request has not ended.
pub(crate) fn allowed(
    scheduler: &Scheduler,
    request: &Request,
    change: &StatusChange,
) -> Result<Effect, Problem> {
    // A route that has left the configuration keeps the default: ServiceNow decides.
    let mastery = scheduler
        .routes
        .by_name(&request.route)
        .map(|route| route.mastery)
        .unwrap_or_default();
    let effect = effect(mastery, change.status)
        .ok_or_else(|| owned_by_servicenow(request, change.status))?;
    let stays = matches!(effect, Effect::Move(state) if state == request.state);
    if request.state.is_final() && !stays {
        let detail = format!(
            "The request ended as {}; ended requests are not changed. Ask again under a new external_id.",
            request.state
        );
        return Err(Problem::new(Kind::RequestEnded, detail));
    }
    if effect == Effect::Extend {
        check_extension(scheduler, request, change)?;
    }
    Ok(effect)
}

fn owned_by_servicenow(request: &Request, word: Word) -> Problem {
    let detail = format!(
        "Route `{}` has mastery `servicenow`: the ticket decides when the request is {}. Work on the ticket instead; or \
         send approved, extended, comment or withdrawn; or set `mastery = \"source\"` in the route.",
        request.route,
        word.as_str()
    );
    Problem::new(Kind::OwnedByServicenow, detail)
}

fn check_extension(
    scheduler: &Scheduler,
    request: &Request,
    change: &StatusChange,
) -> Result<(), Problem> {
    let Some(until) = change.valid_until else {
        return Ok(());
    };
    let earliest = [
        Some(scheduler.now()),
        request.asked.valid_from,
        request.asked.valid_until,
    ];
    let too_early = earliest
        .into_iter()
        .flatten()
        .max()
        .filter(|earliest| until < *earliest);
    too_early.map_or(Ok(()), |earliest| {
        let problem = format!("is before {}", earliest.to_rfc3339());
        let fix =
            "send a later time; an extension never ends before now, valid_from or the end so far";
        Err(Problem::of_fields(vec![FieldError::new(
            "/valid_until",
            problem,
            fix,
        )]))
    })
}
