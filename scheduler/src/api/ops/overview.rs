use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::budget::Standing;
use shared::store::circuits::{self, Circuit};
use shared::store::{processes, requests};
use utoipa::ToSchema;

use super::alert_view::AlertView;
use super::alerts;
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

/// A connection and its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionBudget)]
pub(crate) struct ConnectionView {
    pub(crate) name: String,
    /// Calls at a time that the instance is believed to bear; null while nothing is known.
    pub(crate) width: Option<u32>,
    /// Calls under way, of all workers.
    pub(crate) under_way: u32,
    /// Calls an hour that the tightest rule of the instance allows; null when it names none.
    pub(crate) limit: Option<i64>,
    /// Calls that are left of them.
    pub(crate) left: Option<i64>,
    /// When the count begins anew.
    pub(crate) resets_at: Option<DateTime<Utc>>,
    /// Until when nobody calls.
    pub(crate) throttled_until: Option<DateTime<Utc>>,
    /// Why.
    pub(crate) throttled_why: Option<String>,
    /// What of it is held back: the whole connection, or a table.
    pub(crate) circuits: Vec<CircuitView>,
    /// Jobs that wait to call it.
    pub(crate) waiting: u64,
    /// When those will be through, in words.
    pub(crate) forecast: String,
}

/// Something that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Circuit)]
pub(crate) struct CircuitView {
    /// The connection, or a table of it.
    pub(crate) name: String,
    /// Class of the error that opened it.
    pub(crate) class: String,
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether somebody has to mend something; otherwise it passes by itself.
    pub(crate) wants_a_hand: bool,
    /// Since when.
    pub(crate) opened_at: DateTime<Utc>,
    /// Until when.
    pub(crate) until: DateTime<Utc>,
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
    let circuits = circuits::all(conn).await?;
    let attention = requests::count_flagged(conn, MOST_FLAGGED).await?;
    let mut kinds = BTreeMap::<String, u64>::new();
    for alive in processes::alive(conn, now).await? {
        *kinds.entry(alive.process.kind).or_default() += 1;
    }
    let sum = |of: fn(&QueueView) -> u64| queues.iter().map(of).sum();
    let standings = scheduler.standings();
    let connections = scheduler
        .settings
        .connections
        .keys()
        .map(|name| {
            let standing = standings.iter().find(|it| it.connection == *name);
            let waiting = waiting(&queues, name);
            connection(name, standing, &circuits, waiting, now)
        })
        .collect();
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

fn waiting(queues: &[QueueView], connection: &str) -> u64 {
    let is_of = |it: &&QueueView| {
        it.lane
            .split_once('@')
            .is_some_and(|(_, name)| name == connection)
    };
    queues.iter().filter(is_of).map(|it| it.due + it.rung).sum()
}

fn connection(
    name: &str,
    standing: Option<&Standing>,
    circuits: &[Circuit],
    waiting: u64,
    now: DateTime<Utc>,
) -> ConnectionView {
    let window = standing.and_then(|it| it.window.as_ref());
    let throttled = standing.and_then(|it| it.throttled.as_ref());
    let circuits: Vec<CircuitView> = circuits
        .iter()
        .filter(|it| it.connection.split('/').next() == Some(name))
        .map(|it| CircuitView {
            name: it.connection.clone(),
            class: it.class.clone(),
            wants_a_hand: it.wants_a_hand(),
            reason: it.reason.clone(),
            opened_at: it.opened_at,
            until: it.until,
        })
        .collect();
    let resets_at = window.and_then(|it| DateTime::from_timestamp_millis(it.reset));
    let held = circuits.iter().map(|it| it.until);
    let until = held
        .chain(throttled.map(|it| it.until))
        .filter(|it| *it > now)
        .max();
    ConnectionView {
        name: name.to_owned(),
        width: standing.map(|it| it.width),
        under_way: standing.map_or(0, |it| it.under_way),
        limit: window.map(|it| it.limit),
        left: window.map(|it| it.left.max(0)),
        resets_at,
        throttled_until: throttled.map(|it| it.until),
        throttled_why: throttled.map(|it| it.reason.clone()),
        forecast: forecast(
            waiting,
            window.map(|it| (it.limit, it.left.max(0))),
            resets_at,
            until,
        ),
        waiting,
        circuits,
    }
}

/// One call a job is counted on: a create and an update make one, reads are shared by many. What bounds it besides the calls of an
/// hour, the instance's own speed, is not in it.
fn forecast(
    waiting: u64,
    window: Option<(i64, i64)>,
    resets_at: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> String {
    if waiting == 0 {
        return "nothing waits".to_owned();
    }
    let jobs = if waiting == 1 {
        "1 job".to_owned()
    } else {
        format!("{waiting} jobs")
    };
    let from = until.map_or_else(String::new, |until| {
        format!(", not before {}", until.format("%H:%M:%S UTC"))
    });
    let (Some((limit, left)), Some(resets_at)) = (window, resets_at) else {
        return format!("{jobs} as fast as it answers{from}");
    };
    let needed = i64::try_from(waiting).unwrap_or(i64::MAX);
    if needed <= left {
        return format!("{jobs} within this hour{from}");
    }
    let hours = (needed - left - 1) / limit.max(1);
    let by = resets_at + TimeDelta::hours(hours + 1);
    format!(
        "{jobs} by {} at the latest{from}",
        by.format("%Y-%m-%d %H:%M UTC")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_told_by_the_calls_that_are_left() {
        let reset = DateTime::from_timestamp(1_900_000_000, 0);
        let told: Vec<String> = [
            (0, Some((100, 10)), None),
            (1, None, None),
            (10, Some((100, 10)), None),
            (11, Some((100, 10)), None),
            (110, Some((100, 10)), None),
            (111, Some((100, 10)), None),
            (
                5,
                Some((100, 0)),
                DateTime::from_timestamp(1_899_999_000, 0),
            ),
        ]
        .into_iter()
        .map(|(waiting, window, until)| forecast(waiting, window, reset, until))
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
