//! Calendar units and their edges.

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};

use super::script::{midnight, shifted};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Start,
    End,
}

/// The unit a word names, in the spellings of `gs.*` and of the relative operators.
pub(crate) fn unit_of(word: &str) -> Option<Unit> {
    Some(match word {
        "minute" => Unit::Minute,
        "hour" => Unit::Hour,
        "day" | "dayofweek" => Unit::Day,
        "week" => Unit::Week,
        "month" => Unit::Month,
        "quarter" => Unit::Quarter,
        "year" => Unit::Year,
        _ => return None,
    })
}

/// The first or the last second of the unit around `local`. Weeks start on Monday.
pub(crate) fn edge(local: NaiveDateTime, unit: Unit, side: Edge) -> NaiveDateTime {
    let start = start(local, unit);
    match side {
        Edge::Start => start,
        Edge::End => shifted(start, unit, 1).map_or(start, |next| next - TimeDelta::seconds(1)),
    }
}

fn start(local: NaiveDateTime, unit: Unit) -> NaiveDateTime {
    let day = midnight(local);
    let back = |days: u32| day - TimeDelta::days(i64::from(days));
    match unit {
        Unit::Minute => local - TimeDelta::seconds(i64::from(local.second())),
        Unit::Hour => {
            local - TimeDelta::seconds(i64::from(local.num_seconds_from_midnight() % 3600))
        }
        Unit::Day => day,
        Unit::Week => back(local.weekday().num_days_from_monday()),
        Unit::Month => back(local.day0()),
        Unit::Quarter => day
            .with_day0(0)
            .and_then(|first| first.with_month0(local.month0() / 3 * 3))
            .unwrap_or(day),
        Unit::Year => back(local.ordinal0()),
    }
}
