use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::budget::Standing;
use shared::store::circuits::{self, Circuit};
use utoipa::ToSchema;

use super::queues::{self, QueueView};
use crate::Scheduler;
use crate::api::problem::Problem;

/// A connection and its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionBudget)]
pub(crate) struct ConnectionView {
    pub(crate) name: String,
    /// Calls at a time that the instance is believed to bear; null while nothing is known.
    pub(crate) width: Option<u32>,
    /// Calls under way, of all workers.
    pub(crate) under_way: u32,
    /// The rule that leaves the fewest calls, by its sys_id; `-` where the instance names a limit and no rule; null when it names none.
    pub(crate) rule: Option<String>,
    /// Calls an hour that the tightest rule of the instance allows; null when it names none.
    pub(crate) limit: Option<i64>,
    /// Calls that are left of them.
    pub(crate) left: Option<i64>,
    /// Calls of them that are used up.
    pub(crate) used: Option<i64>,
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

/// The budget of every connection.
pub(crate) async fn all(scheduler: &Scheduler) -> Result<Vec<ConnectionView>, Problem> {
    of(scheduler, &queues::all(scheduler).await?.items).await
}

/// The same, where the lanes are known already.
pub(crate) async fn of(
    scheduler: &Scheduler,
    queues: &[QueueView],
) -> Result<Vec<ConnectionView>, Problem> {
    let circuits = circuits::all(scheduler.store.conn()).await?;
    let (standings, now) = (scheduler.standings(), scheduler.now());
    let names = scheduler.settings.connections.keys();
    Ok(names
        .map(|name| {
            let standing = standings.iter().find(|it| it.connection == *name);
            connection(name, standing, &circuits, waiting(queues, name), now)
        })
        .collect())
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
        .filter(|it| it.of() == name)
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
        rule: standing.and_then(|it| it.rule.clone()),
        limit: window.map(|it| it.limit),
        used: window.map(|it| it.limit - it.left.max(0)),
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
