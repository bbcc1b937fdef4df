//! The allow-listed `gs.*` calls of query values (wire contract 2.3).

use chrono::{DateTime, Days, Months, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::span::{Edge, Unit, edge, unit_of};
use crate::world::Act;
use crate::world::time::{instant, parse_local};

/// What an expression gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Text(String),
    Instant(DateTime<Utc>),
}

/// Evaluates `gs.name(arguments)`; anything outside the allow list gives an empty text, as the
/// sandbox does.
pub(crate) fn evaluate(act: &Act<'_>, expression: &str) -> Outcome {
    let call = expression.trim().trim_end_matches(';').strip_prefix("gs.");
    let parts = call.and_then(|call| call.strip_suffix(')')?.split_once('('));
    let Some((name, arguments)) = parts else {
        return Outcome::Text(String::new());
    };
    let arguments: Vec<&str> = arguments
        .split(',')
        .map(|text| text.trim().trim_matches(['\'', '"']))
        .collect();
    match name {
        "getUserID" => Outcome::Text(act.actor.id.clone()),
        "getUserName" => Outcome::Text(act.actor.user_name.clone()),
        "getUserDisplayName" => Outcome::Text(act.actor.name.clone()),
        "dateGenerate" => generated(act, &arguments).map_or_else(nothing, Outcome::Instant),
        "now" | "nowDateTime" => Outcome::Instant(act.now),
        _ => at(act, name, &arguments).map_or_else(nothing, Outcome::Instant),
    }
}

fn nothing() -> Outcome {
    Outcome::Text(String::new())
}

/// `dateGenerate('2026-09-02', '07:05:14' | 'start' | 'end')`, in the user's zone.
fn generated(act: &Act<'_>, arguments: &[&str]) -> Option<DateTime<Utc>> {
    let (date, time) = (
        arguments.first()?,
        arguments.get(1).copied().unwrap_or("start"),
    );
    let time = match time {
        "start" => "00:00:00",
        "end" => "23:59:59",
        given => given,
    };
    parse_local(&format!("{date} {time}"), act.actor.zone)
}

/// `beginningOfLastMonth()`, `endOfToday()`, `daysAgo(3)`, `hoursAgoStart(1)`, `monthsAgoEnd(2)`…
fn at(act: &Act<'_>, name: &str, arguments: &[&str]) -> Option<DateTime<Utc>> {
    let local = act.now.with_timezone(&act.actor.zone).naive_local();
    let named = name
        .strip_prefix("beginningOf")
        .map(|period| (period, Edge::Start));
    let named = named.or_else(|| name.strip_prefix("endOf").map(|period| (period, Edge::End)));
    let wall = match named {
        Some((period, side)) => period_edge(local, period, side)?,
        None => ago(local, name, arguments)?,
    };
    Some(instant(wall, act.actor.zone))
}

fn period_edge(local: NaiveDateTime, period: &str, side: Edge) -> Option<NaiveDateTime> {
    let (shift, unit) = match period {
        "Today" | "CurrentDay" => (0, Unit::Day),
        "Yesterday" => (-1, Unit::Day),
        "Tomorrow" => (1, Unit::Day),
        _ => {
            let cut = ["This", "Last", "Next", "Current"]
                .into_iter()
                .find(|word| period.starts_with(word))?;
            let shift = [("Last", -1), ("Next", 1)]
                .into_iter()
                .find(|(word, _)| *word == cut)
                .map_or(0, |(_, shift)| shift);
            (shift, unit_of(&period[cut.len()..].to_ascii_lowercase())?)
        }
    };
    Some(edge(shifted(local, unit, shift)?, unit, side))
}

fn ago(local: NaiveDateTime, name: &str, arguments: &[&str]) -> Option<NaiveDateTime> {
    let (name, side) = match (name.strip_suffix("Start"), name.strip_suffix("End")) {
        (Some(name), _) => (name, Some(Edge::Start)),
        (_, Some(name)) => (name, Some(Edge::End)),
        _ => (name, None),
    };
    let unit = unit_of(name.strip_suffix("Ago")?.strip_suffix('s')?)?;
    let count: i64 = arguments.first()?.parse().ok()?;
    let then = shifted(local, unit, count.checked_neg()?)?;
    Some(side.map_or(then, |side| edge(then, unit, side)))
}

/// A wall-clock time moved by whole units.
pub(crate) fn shifted(local: NaiveDateTime, unit: Unit, by: i64) -> Option<NaiveDateTime> {
    let months = |count: i64| {
        let size = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
        if count < 0 {
            local.checked_sub_months(size)
        } else {
            local.checked_add_months(size)
        }
    };
    let days = |count: i64| {
        let size = Days::new(count.unsigned_abs());
        if count < 0 {
            local.checked_sub_days(size)
        } else {
            local.checked_add_days(size)
        }
    };
    match unit {
        Unit::Minute => local.checked_add_signed(TimeDelta::try_minutes(by)?),
        Unit::Hour => local.checked_add_signed(TimeDelta::try_hours(by)?),
        Unit::Day => days(by),
        Unit::Week => days(by.checked_mul(7)?),
        Unit::Month => months(by),
        Unit::Quarter => months(by.checked_mul(3)?),
        Unit::Year => months(by.checked_mul(12)?),
    }
}

/// Midnight of a wall-clock time's day.
pub(crate) fn midnight(local: NaiveDateTime) -> NaiveDateTime {
    local.date().and_time(NaiveTime::MIN)
}
