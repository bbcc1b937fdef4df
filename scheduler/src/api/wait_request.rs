use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use shared::request::Request;
use shared::store::requests::{self, Goal};
use shared::store::tickets;
use shared::ticket::Ticket;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Caller;
use super::documented_problems::OfReadingOne;
use super::patience::{PatienceParam, patience};
use super::problem::Problem;
use super::query::Params;
use super::request_view::RequestView;
use super::show_request::{request_id, unknown_request};
use crate::Scheduler;
use crate::waits::Awaited;

/// A request after a wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AwaitedRequest)]
pub(crate) struct AwaitedRequest {
    /// Whether what was waited for has happened. If not, call again.
    reached: bool,
    /// The request as it is now.
    request: RequestView,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the form of the query for the document; the operation reads the query itself"
)]
struct GoalParam {
    /// What to wait for: `ticket`, until ServiceNow has its ticket or never will, or `end`, until it is in a final state.
    #[param(default = "end", example = "ticket")]
    r#for: Option<String>,
}

/// What to wait for, as a word of the query.
struct GoalWord(Goal);

impl FromStr for GoalWord {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "ticket" => Ok(Self(Goal::Ticket)),
            "end" => Ok(Self(Goal::End)),
            _ => Err(()),
        }
    }
}

/// Wait for a request
///
/// Answers as soon as the request has its ticket, or has ended; at once if that is so already, and after `timeout_seconds` in
/// any case. Any number of callers may wait: they cost the bridge one look together.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/wait",
    tag = "requests",
    params(("id" = Uuid, Path, description = "The bridge's id of the request"), GoalParam, PatienceParam),
    responses((status = 200, description = "The request, as far as it has come", body = AwaitedRequest), OfReadingOne),
    security(("token" = [])),
)]
pub(crate) async fn wait_request(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AwaitedRequest>, Problem> {
    let mut params = Params::of(query.as_deref());
    let goal = params.parsed("for", "send ticket or end");
    let GoalWord(goal) = goal.unwrap_or(GoalWord(Goal::End));
    let patience = patience(&mut params);
    params.finish()?;
    let id = request_id(&id)?;
    let place = scheduler.waits.enter(Awaited::Request(id, goal));
    let mut seen = Seen::of(&scheduler, &caller, id).await?;
    if !seen.has_reached(goal) {
        place.wait(&scheduler, patience).await;
        seen = Seen::of(&scheduler, &caller, id).await?;
    }
    Ok(Json(AwaitedRequest {
        reached: seen.has_reached(goal),
        request: RequestView::of(seen.request, seen.ticket),
    }))
}

/// A request as it is at a moment.
struct Seen {
    request: Request,
    ticket: Option<Ticket>,
}

impl Seen {
    async fn of(scheduler: &Scheduler, caller: &Caller, id: Uuid) -> Result<Self, Problem> {
        let conn = scheduler.store.conn();
        let found = requests::find_of_source(conn, &caller.source, id).await?;
        Ok(Self {
            request: found.ok_or_else(|| unknown_request(&id.to_string()))?,
            ticket: tickets::of_request(conn, id).await?,
        })
    }

    fn has_reached(&self, goal: Goal) -> bool {
        let exists = self.ticket.as_ref().is_some_and(|ticket| ticket.exists);
        self.request.state.is_final() || (goal == Goal::Ticket && exists)
    }
}
