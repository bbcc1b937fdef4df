use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use chrono::{DateTime, Utc};
use shared::config::ConnectionSettings;
use shared::job::{JobKind, lane_name};
use shared::store::attempts::{self, Failure};
use shared::store::connection_checks::{self, Check};
use shared::store::switches::{self, PausedLanes};
use shared::store::{credentials, jobs, processes};

use super::budgets;
use super::caller::Operating;
use super::connection_view::{
    CheckView, ConnectionDetail, ConnectionList, ConnectionView, CredentialView, FailureView,
    Serving,
};
use crate::Scheduler;
use crate::api::documented_problems::{OfOperating, OfOperatingOne};
use crate::api::fields::shown;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// So many checks of a connection are shown; retention keeps as many.
const CHECKS: u64 = 20;

/// See the connections
///
/// How each instance is reached and logged in to, what is left of its calls, what holds it back, how it answered last, and what the last
/// check found. No secrets.
#[utoipa::path(
    get,
    path = "/v1/ops/connections",
    tag = "operators",
    responses((status = 200, description = "Every connection", body = ConnectionList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_connections(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<ConnectionList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// See a connection with its checks
///
/// The same for one, with what its last twenty checks have found, step by step.
#[utoipa::path(
    get,
    path = "/v1/ops/connections/{name}",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the connection", example = "main")),
    responses((status = 200, description = "The connection", body = ConnectionDetail), OfOperatingOne),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_connection(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ConnectionDetail>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// The settings of a connection, or which there are.
pub(crate) fn found<'a>(
    scheduler: &'a Scheduler,
    name: &str,
) -> Result<&'a ConnectionSettings, Problem> {
    let all = &scheduler.settings.connections;
    all.get(name).ok_or_else(|| {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        let detail = format!(
            "There is no connection `{}`. There is: {}.",
            shown(name),
            known.join(", ")
        );
        Problem::new(Kind::NotFound, detail)
    })
}

pub(crate) async fn all(scheduler: &Scheduler) -> Result<ConnectionList, Problem> {
    let known = Known::read(scheduler).await?;
    let mut items = Vec::new();
    for (name, settings) in &scheduler.settings.connections {
        items.push(view(scheduler, &known, name, settings).await?);
    }
    Ok(ConnectionList { items })
}

pub(crate) async fn detail(scheduler: &Scheduler, name: &str) -> Result<ConnectionDetail, Problem> {
    let settings = found(scheduler, name)?;
    let known = Known::read(scheduler).await?;
    let connection = view(scheduler, &known, name, settings).await?;
    let all = connection_checks::of_connection(scheduler.store.conn(), name, CHECKS).await?;
    let mut checks = Vec::with_capacity(all.len());
    for check in all {
        checks.push(check_view(scheduler, check, &connection.serving).await?);
    }
    Ok(ConnectionDetail { connection, checks })
}

/// What is read once for all connections.
struct Known {
    budgets: Vec<budgets::ConnectionView>,
    successes: Vec<attempts::Success>,
    failures: Vec<Failure>,
    looked_back_to: Option<DateTime<Utc>>,
    served: Vec<String>,
    paused: PausedLanes,
}

impl Known {
    async fn read(scheduler: &Scheduler) -> Result<Self, Problem> {
        let conn = scheduler.store.conn();
        let alive = processes::alive(conn, scheduler.now()).await?;
        Ok(Self {
            budgets: budgets::all(scheduler).await?,
            successes: attempts::successes(conn).await?,
            failures: attempts::failures(conn).await?,
            looked_back_to: attempts::looked_back_to(conn).await?,
            served: alive.into_iter().flat_map(|it| it.process.lanes).collect(),
            paused: PausedLanes::of(&switches::get_all(conn).await?),
        })
    }

    fn serving(&self, name: &str) -> Serving {
        let lane = lane_name(JobKind::CheckConnection, Some(name));
        Serving {
            workers: self.served.iter().filter(|it| **it == lane).count() as u64,
            is_open: !self.paused.holds(&lane),
            lane,
        }
    }
}

async fn view(
    scheduler: &Scheduler,
    known: &Known,
    name: &str,
    settings: &ConnectionSettings,
) -> Result<ConnectionView, Problem> {
    let conn = scheduler.store.conn();
    let credential = credentials::get(conn, name).await?;
    let serving = known.serving(name);
    let newest = connection_checks::of_connection(conn, name, 1).await?;
    let check = match newest.into_iter().next() {
        Some(check) => Some(check_view(scheduler, check, &serving).await?),
        None => None,
    };
    let routes = scheduler.routes.iter().filter(|it| it.connection == name);
    let tables: BTreeSet<&str> = routes.map(|it| it.kind.table()).collect();
    let success = known.successes.iter().find(|it| it.connection == name);
    let failures = known.failures.iter().filter(|it| it.connection == name);
    Ok(ConnectionView {
        name: name.to_owned(),
        url: settings.shown_url(),
        auth: settings.auth.as_str(),
        tables: tables.into_iter().map(str::to_owned).collect(),
        max_in_flight: settings.max_in_flight as u64,
        credential: CredentialView::of(settings, credential.as_ref(), scheduler.now()),
        budget: known.budgets.iter().find(|it| it.name == name).cloned(),
        last_success_at: success.map(|it| it.at),
        failures: failures.cloned().map(FailureView::from).collect(),
        looked_back_to: known.looked_back_to,
        serving,
        check,
    })
}

/// A check that has not ended is asked of its job: it waits, runs, or was given up.
async fn check_view(
    scheduler: &Scheduler,
    check: Check,
    serving: &Serving,
) -> Result<CheckView, Problem> {
    if check.ended_at.is_some() {
        return Ok(CheckView::ended(check));
    }
    let job = jobs::find(scheduler.store.conn(), check.id).await?;
    Ok(CheckView::under_way(check, job.as_ref(), serving))
}
