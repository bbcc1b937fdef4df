use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use shared::store::{processes, requests};
use utoipa::ToSchema;

use super::alert_view::AlertView;
use super::alerts;
use super::budgets::{self, ConnectionView};
use super::caller::Operating;
use super::queues::{self, QueueView};
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::problem::Problem;
use crate::api::query::Params;

/// So many requests that need attention are counted; more stand for that many or more.
const MOST_FLAGGED: u64 = 1_000;

/// What moves and what waits.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// Over all lanes.
    pub(crate) totals: Totals,
    /// Every lane.
    pub(crate) queues: Vec<QueueView>,
    /// Requests that somebody should look at; 1,000 stands for that many or more.
    pub(crate) attention: u64,
    /// Alerts that fire, or that an operator keeps quiet.
    pub(crate) alerts: Vec<AlertView>,
    /// Every connection, with what is left of its calls.
    pub(crate) connections: Vec<ConnectionView>,
    /// Processes alive, by kind.
    pub(crate) processes: Vec<KindCount>,
}

/// Jobs by state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Totals {
    pub(crate) due: u64,
    pub(crate) rung: u64,
    pub(crate) running: u64,
    pub(crate) parked: u64,
    pub(crate) dead: u64,
}

/// How many processes of a kind live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct KindCount {
    pub(crate) kind: String,
    pub(crate) count: u64,
}

/// See what moves and what waits
///
/// Jobs by lane and state, what is left of each connection's calls and when its backlog will be through, and who is alive.
#[utoipa::path(
    get,
    path = "/v1/ops/overview",
    tag = "operators",
    responses((status = 200, description = "Lanes, budgets, processes", body = Overview), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_overview(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<Overview>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(overview(&scheduler).await?))
}

pub(crate) async fn overview(scheduler: &Scheduler) -> Result<Overview, Problem> {
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let queues = queues::all(scheduler).await?.items;
    let connections = budgets::of(scheduler, &queues).await?;
    let attention = requests::count_flagged(conn, MOST_FLAGGED).await?;
    let mut kinds = BTreeMap::<String, u64>::new();
    for alive in processes::alive(conn, now).await? {
        *kinds.entry(alive.process.kind).or_default() += 1;
    }
    let sum = |of: fn(&QueueView) -> u64| queues.iter().map(of).sum();
    Ok(Overview {
        totals: Totals {
            due: sum(|it| it.due),
            rung: sum(|it| it.rung),
            running: sum(|it| it.running),
            parked: sum(|it| it.parked),
            dead: sum(|it| it.dead),
        },
        attention,
        alerts: holding(scheduler).await?,
        connections,
        processes: kinds
            .into_iter()
            .map(|(kind, count)| KindCount { kind, count })
            .collect(),
        queues,
    })
}

/// Alerts that hold.
async fn holding(scheduler: &Scheduler) -> Result<Vec<AlertView>, Problem> {
    let all = alerts::all(scheduler).await?.items.into_iter();
    let holds = |it: &AlertView| matches!(it.state.as_str(), "firing" | "quiet");
    Ok(all.filter(holds).collect())
}
