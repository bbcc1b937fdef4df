use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::operator::Role;
use shared::store::cadences::Cadence;
use shared::store::switches::{self, PausedLanes};
use shared::store::{
    attempts, audit, cadences, circuits, jobs, notes, requests, state_maps, tickets,
};
use shared::ticket::Ticket;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::AuditView;
use super::caller::Operating;
use super::job_view::OpsJobView;
use super::map_decision::{self, MapDecisionView};
use super::why::{Facts, Verdict, why};
use crate::Scheduler;
use crate::api::documented_problems::OfOperatingOne;
use crate::api::fields::shown;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;
use crate::api::request_detail::{AttemptView, NoteView};
use crate::api::request_view::RequestView;

/// A request with all that stands around it, and the answer to "why is this ticket not updated?".
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorRequest)]
pub(crate) struct OpsRequestDetail {
    #[serde(flatten)]
    pub(crate) request: RequestView,
    /// Why it stands where it stands, in words.
    pub(crate) why: Verdict,
    /// How the state map of its route decided; null while there is no ticket, or when the route has left the configuration.
    pub(crate) state_map: Option<MapDecisionView>,
    /// Its jobs, newest first.
    pub(crate) jobs: Vec<OpsJobView>,
    /// Every run of its jobs, newest first.
    pub(crate) runs: Vec<AttemptView>,
    /// Its notes for the ticket's journal, oldest first; not shown to viewers.
    pub(crate) notes: Vec<NoteView>,
    /// Its audit entries, oldest first.
    pub(crate) trail: Vec<AuditView>,
    /// When its ticket is looked at next, together with all that changed; null when it is not looked at.
    pub(crate) read_next_at: Option<DateTime<Utc>>,
    /// When its ticket is read by its id at the latest.
    pub(crate) reconciled_next_at: Option<DateTime<Utc>>,
    /// The record in ServiceNow.
    pub(crate) link: Option<String>,
}

/// See why a request stands where it stands
///
/// The request, its ticket, how its state was decided, its jobs, their runs and calls, its audit entries, and in words what it waits
/// for and what comes next.
#[utoipa::path(
    get,
    path = "/v1/ops/requests/{id}",
    tag = "operators",
    params(("id" = Uuid, Path, description = "The bridge's id of the request")),
    responses((status = 200, description = "The request", body = OpsRequestDetail), OfOperatingOne),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_ops_request(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<OpsRequestDetail>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(detail(&scheduler, &operating, &id).await?))
}

pub(crate) async fn detail(
    scheduler: &Scheduler,
    operating: &Operating,
    id: &str,
) -> Result<OpsRequestDetail, Problem> {
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let request = match id.parse() {
        Ok(id) => requests::find(conn, id).await?,
        Err(_) => None,
    };
    let request = request.ok_or_else(|| unknown(id))?;
    let ticket = tickets::of_request(conn, request.id).await?;
    let jobs = jobs::of_request(conn, request.id).await?;
    let runs = attempts::of_request(conn, request.id).await?;
    let circuits = circuits::all(conn).await?;
    let paused = PausedLanes::of(&switches::get_all(conn).await?);
    let cadences = cadences::list(conn).await?;
    let next = |kind: &str| {
        let ticket = ticket
            .as_ref()
            .filter(|it| it.exists && it.given_up_at.is_none())?;
        let is_meant = |it: &&Cadence| {
            it.kind == kind && it.connection == ticket.connection && it.table == ticket.kind.table()
        };
        cadences.iter().find(is_meant).map(|it| it.next_at)
    };
    let (read_next_at, reconciled_next_at) = (next("changes"), next("reconcile"));
    let facts = Facts {
        request: &request,
        ticket: ticket.as_ref(),
        jobs: &jobs,
        circuits: &circuits,
        paused: &paused,
        read_next_at,
        now,
    };
    let verdict = why(&facts);
    let state_map = map_decision::of(
        &request,
        ticket.as_ref(),
        scheduler.routes.by_name(&request.route),
        &state_maps::all(conn).await?,
        now,
    );
    let kind_of = |id: Uuid| {
        jobs.iter()
            .find(|job| job.id == id)
            .map(|job| job.kind.clone())
    };
    let runs = runs
        .into_iter()
        .rev()
        .map(|run| {
            let kind = kind_of(run.job_id);
            AttemptView::of(run, kind)
        })
        .collect();
    let notes = if operating.role > Role::Viewer {
        notes::of_request(conn, request.id).await?
    } else {
        Vec::new()
    };
    let link = ticket.as_ref().and_then(|ticket| link(scheduler, ticket));
    let trail = audit::of_request(conn, request.id).await?;
    Ok(OpsRequestDetail {
        why: verdict,
        state_map,
        jobs: jobs
            .into_iter()
            .rev()
            .map(|job| OpsJobView::of(job, operating.role))
            .collect(),
        runs,
        notes: notes.into_iter().map(NoteView::from).collect(),
        trail: trail.into_iter().map(AuditView::from).collect(),
        read_next_at,
        reconciled_next_at,
        link,
        request: RequestView::of(request, ticket).seen_by(operating.role),
    })
}

/// Where a browser sees the record.
fn link(scheduler: &Scheduler, ticket: &Ticket) -> Option<String> {
    let connection = scheduler.settings.connections.get(&ticket.connection)?;
    let sys_id = ticket.sys_id.as_ref().filter(|_| ticket.exists)?;
    let base = connection.base_url.trim_end_matches('/');
    Some(format!(
        "{base}/nav_to.do?uri={}.do%3Fsys_id={sys_id}",
        ticket.kind.table()
    ))
}

fn unknown(id: &str) -> Problem {
    let detail = format!(
        "There is no request `{}`. It may have been removed because of its age ([retention] requests_days); its audit entries may \
         still be there.",
        shown(id)
    );
    Problem::new(Kind::NotFound, detail)
}
