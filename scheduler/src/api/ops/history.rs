use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::figures::Durations;
use shared::store::minutes::{self, Span};
use utoipa::ToSchema;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::fields::shown;
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;
use crate::api::query::Params;
use crate::lanes::configured;

/// A minute is there so long after it has ended: it settles first, and is folded with the next round.
const BEHIND: TimeDelta = TimeDelta::seconds(70);

/// How far back, in how many points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Hour,
    Day,
    Week,
}

impl Range {
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// Minutes of a point, and how many points.
    fn grid(self) -> (i16, u16) {
        match self {
            Self::Hour => (1, 60),
            Self::Day => (15, 96),
            Self::Week => (60, 168),
        }
    }
}

impl FromStr for Range {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or(())
    }
}

/// What was done, in equal spans of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct History {
    /// `1h`, `24h` or `7d`.
    #[schema(example = "1h")]
    pub(crate) range: &'static str,
    /// The lane; null for all of them together.
    pub(crate) lane: Option<String>,
    /// Length of a point: 60, 900 or 3,600.
    pub(crate) step_seconds: u32,
    /// When the first point begins.
    pub(crate) from: DateTime<Utc>,
    /// When the last one ends.
    pub(crate) until: DateTime<Utc>,
    /// 60, 96 or 168 of them, oldest first.
    pub(crate) points: Vec<Point>,
}

/// A span of time. What is not known is null: nobody was there, or it is too new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HistoryPoint)]
pub(crate) struct Point {
    /// When it begins.
    pub(crate) at: DateTime<Utc>,
    /// How many of its minutes are known; divide by it for a rate. 0: nothing is known of what was done.
    pub(crate) minutes: u16,
    /// Jobs that were stored.
    pub(crate) created: Option<u64>,
    /// Requests that got their ticket.
    pub(crate) tickets: Option<u64>,
    /// Runs that ended, however.
    pub(crate) attempts: Option<u64>,
    /// Jobs that ended well.
    pub(crate) done: Option<u64>,
    /// Jobs that were given up.
    pub(crate) dead: Option<u64>,
    /// Jobs that were cancelled before a worker had them.
    pub(crate) cancelled: Option<u64>,
    /// Runs after which the job was parked.
    pub(crate) parked: Option<u64>,
    /// Runs after which the job runs again.
    pub(crate) retried: Option<u64>,
    /// From the moment a job was stored to its end, of those that were done or given up.
    pub(crate) latency: Option<DurationView>,
    /// Of each HTTP call.
    pub(crate) call: Option<DurationView>,
    /// Jobs that no worker had at the end of a minute, the most of the span; null when nobody counted.
    pub(crate) waiting: Option<u64>,
    /// For how long the oldest of them was due, in seconds.
    pub(crate) oldest_seconds: Option<u64>,
}

/// How long something took, in milliseconds. Quantiles are right to the width of a bucket of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Durations)]
pub(crate) struct DurationView {
    pub(crate) count: u64,
    pub(crate) mean_ms: u64,
    /// Half of them took no longer.
    pub(crate) p50_ms: u64,
    /// 95 of 100 took no longer.
    pub(crate) p95_ms: u64,
    pub(crate) max_ms: u64,
}

impl DurationView {
    fn of(durations: &Durations) -> Option<Self> {
        Some(Self {
            count: durations.count,
            mean_ms: durations.mean_ms()?,
            p50_ms: durations.quantile_ms(500)?,
            p95_ms: durations.quantile_ms(950)?,
            max_ms: durations.max_ms,
        })
    }
}

impl Point {
    fn of(at: DateTime<Utc>, span: Option<&Span>) -> Self {
        let Some(span) = span else {
            return Self {
                at,
                ..Self::default()
            };
        };
        let known = (span.minutes > 0).then_some(&span.figures);
        Self {
            at,
            minutes: span.minutes,
            created: known.map(|it| it.created),
            tickets: known.map(|it| it.tickets),
            attempts: known.map(|it| it.attempts),
            done: known.map(|it| it.done),
            dead: known.map(|it| it.dead),
            cancelled: known.map(|it| it.cancelled),
            parked: known.map(|it| it.parked),
            retried: known.map(|it| it.retried),
            latency: known.and_then(|it| DurationView::of(&it.latency)),
            call: known.and_then(|it| DurationView::of(&it.calls)),
            waiting: span.backlog.map(|it| it.waiting),
            oldest_seconds: span.backlog.map(|it| it.oldest_ms / 1_000),
        }
    }
}

/// See what was done
///
/// Throughput, durations and backlog of the last hour by the minute, of 24 hours by the quarter of an hour, or of 7 days by the hour. A minute
/// is there about a minute and a half after it has ended; a quarter of an hour later it is counted once more, for rows that were written
/// late. Times are aligned, so the last point of a longer range is under way: `minutes` says how much of it there is.
#[utoipa::path(
    get,
    path = "/v1/ops/history",
    tag = "operators",
    params(
        ("range" = Option<String>, Query, description = "`1h`, `24h` or `7d`; 1h when left out", example = "24h"),
        ("lane" = Option<String>, Query, description = "Only this lane", example = "create-ticket@main"),
    ),
    responses((status = 200, description = "A fixed number of points", body = History), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_history(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<History>, Problem> {
    let mut params = Params::of(query.as_deref());
    let range = params.parsed("range", "send 1h, 24h or 7d");
    let lane = params.text("lane", 200);
    params.finish()?;
    let range = range.unwrap_or(Range::Hour);
    Ok(Json(history(&scheduler, range, lane).await?))
}

pub(crate) async fn history(
    scheduler: &Scheduler,
    range: Range,
    lane: Option<String>,
) -> Result<History, Problem> {
    let known = configured(&scheduler.settings);
    if let Some(lane) = lane.as_ref().filter(|lane| !known.contains_key(*lane)) {
        let fix = format!(
            "send one of {}",
            known.into_keys().collect::<Vec<_>>().join(", ")
        );
        let error = FieldError::new("lane", format!("is `{}`", shown(lane)), fix);
        let detail = "Correct the parameters and call again.";
        return Err(Problem::new(Kind::BadQuery, detail).with_errors(vec![error]));
    }
    let (width, count) = range.grid();
    let step = TimeDelta::minutes(i64::from(width));
    let newest = scheduler.now() - BEHIND - TimeDelta::minutes(1);
    let until = minutes::begin_of(newest, width) + step;
    let from = until - step * i32::from(count);
    let conn = scheduler.store.conn();
    let spans = minutes::read(conn, width, lane.as_deref(), from, until).await?;
    let points = (0..count).map(|number| {
        let at = from + step * i32::from(number);
        Point::of(at, spans.iter().find(|span| span.begins_at == at))
    });
    Ok(History {
        range: range.as_str(),
        lane,
        step_seconds: u32::from(width.unsigned_abs()) * 60,
        from,
        until,
        points: points.collect(),
    })
}
