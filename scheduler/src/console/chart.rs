//! Charts as SVG, made on the server: they are there without script, follow the theme by the style sheet alone, and are told again as a
//! table. All lengths are whole numbers of the view box; the browser stretches it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::api::ops::history::{History, Point};

/// Width of a point and height of the plot, in units of the view box.
const WIDE: u64 = 10;
const HIGH: u64 = 1_000;

/// Ends of scales for what takes longer than 20 s: 1, 2, 10, 20 and 60 minutes, 2, 4, 10, 24 and 48 hours.
const LONG_TIMES: [u64; 10] = [
    60_000,
    120_000,
    600_000,
    1_200_000,
    3_600_000,
    7_200_000,
    14_400_000,
    36_000_000,
    86_400_000,
    172_800_000,
];

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Thousandths of a job a minute: few are not none.
    PerMinute,
    Milliseconds,
    Jobs,
}

/// A chart as the template draws it.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    /// All of it in one sentence, for those who do not see it.
    summary: String,
    width: u64,
    /// From the top down.
    scale: [String; 3],
    series: Vec<Line>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    /// The newest value that is known.
    last: String,
    path: String,
}

/// A point: where it is, and what it says.
#[derive(Debug, Serialize)]
struct Column {
    x: u64,
    at: DateTime<Utc>,
    values: Vec<String>,
    text: String,
}

struct Series {
    name: &'static str,
    values: Vec<Option<u64>>,
}

impl Series {
    fn of(name: &'static str, history: &History, value: fn(&Point) -> Option<u64>) -> Self {
        Self {
            name,
            values: history.points.iter().map(value).collect(),
        }
    }
}

/// The charts of the overview.
pub(super) fn charts(history: &History) -> Vec<Chart> {
    let rate = |point: &Point, count: Option<u64>| {
        let minutes = u64::from(point.minutes.max(1));
        Some((count? * 1_000 + minutes / 2) / minutes)
    };
    let ended = |name, count: fn(&Point) -> Option<u64>| Series {
        name,
        values: history
            .points
            .iter()
            .map(|it| rate(it, count(it)))
            .collect(),
    };
    let throughput = [
        ended("done", |it| it.done),
        ended("dead", |it| it.dead),
        ended("cancelled", |it| it.cancelled),
    ];
    let latency = [
        Series::of("half within", history, |it| {
            Some(it.latency.as_ref()?.p50_ms)
        }),
        Series::of("95 of 100 within", history, |it| {
            Some(it.latency.as_ref()?.p95_ms)
        }),
    ];
    let calls = [
        Series::of("half within", history, |it| Some(it.call.as_ref()?.p50_ms)),
        Series::of("95 of 100 within", history, |it| {
            Some(it.call.as_ref()?.p95_ms)
        }),
    ];
    let backlog = [Series::of("waiting", history, |it| it.waiting)];
    let draw = |id, title, unit, series: &[Series]| chart(id, title, unit, series, history);
    vec![
        draw(
            "throughput",
            "Jobs that ended",
            Unit::PerMinute,
            &throughput,
        ),
        draw(
            "latency",
            "From storing to end",
            Unit::Milliseconds,
            &latency,
        ),
        draw("backlog", "Backlog", Unit::Jobs, &backlog),
        draw("calls", "HTTP calls", Unit::Milliseconds, &calls),
    ]
}

fn chart(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    series: &[Series],
    history: &History,
) -> Chart {
    let known = series.iter().flat_map(|it| it.values.iter().flatten());
    let most = known.max().copied();
    let top = unit.top(most.unwrap_or(0).max(unit.least()));
    let columns = history.points.iter().enumerate().map(|(place, point)| {
        let tell = |it: &Series| it.values[place].map_or("–".to_owned(), |value| unit.say(value));
        let values: Vec<String> = series.iter().map(tell).collect();
        let told = series.iter().zip(&values);
        let told: Vec<String> = told
            .map(|(it, value)| format!("{} {value}", it.name))
            .collect();
        Column {
            x: place as u64 * WIDE,
            at: point.at,
            text: told.join(", "),
            values,
        }
    });
    let lines = series.iter().map(|it| Line {
        name: it.name,
        last: newest(it).map_or("not known".to_owned(), |value| unit.say(value)),
        path: path(&it.values, top),
    });
    Chart {
        id,
        title,
        unit: unit.name(),
        summary: summary(title, unit, series, most),
        width: history.points.len() as u64 * WIDE,
        scale: [top, top / 2, 0].map(|value| unit.say(value)),
        series: lines.collect(),
        columns: columns.collect(),
    }
}

fn newest(series: &Series) -> Option<u64> {
    series.values.iter().rev().find_map(|value| *value)
}

fn summary(title: &str, unit: Unit, series: &[Series], most: Option<u64>) -> String {
    let Some(most) = most else {
        return format!("{title}: nothing is known of this time.");
    };
    let newest: Vec<String> = series
        .iter()
        .filter_map(|it| Some(format!("{} {}", it.name, unit.say(newest(it)?))))
        .collect();
    format!(
        "{title}, {}: at most {}; last {}. The table below has every value.",
        unit.name(),
        unit.say(most),
        newest.join(", ")
    )
}

/// One line, broken where nothing is known. A value between two gaps is a short stroke.
fn path(values: &[Option<u64>], top: u64) -> String {
    let mut path = String::new();
    let mut before = None;
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let x = place as u64 * WIDE + WIDE / 2;
            let y = HIGH - value * HIGH / top;
            let alone = before.is_none() && values.get(place + 1).is_none_or(Option::is_none);
            let step = match (before, alone) {
                (Some(()), _) => format!("L{x} {y}"),
                (None, false) => format!("M{x} {y}"),
                (None, true) => format!("M{} {y}h{WIDE}", x - WIDE / 2),
            };
            path.push_str(&step);
        }
        before = value.map(|_| ());
    }
    path
}

/// The next of 1, 2, 5, 10, 20, … so that halves read well.
fn round_up(value: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 5] {
            if power * step >= value {
                return power * step;
            }
        }
        power *= 10;
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::PerMinute => "a minute",
            Self::Milliseconds => "duration",
            Self::Jobs => "jobs",
        }
    }

    /// The smallest scale: a line at the bottom is not to look like a storm.
    fn least(self) -> u64 {
        match self {
            Self::PerMinute => 100,
            Self::Milliseconds => 20,
            Self::Jobs => 10,
        }
    }

    /// The end of a scale that holds `value`: it and its half read well.
    fn top(self, value: u64) -> u64 {
        let times = (self == Self::Milliseconds).then_some(LONG_TIMES);
        let long = times.into_iter().flatten().find(|top| *top >= value);
        match long {
            Some(top) if value > 20_000 => top,
            _ => round_up(value),
        }
    }

    fn say(self, value: u64) -> String {
        match self {
            Self::PerMinute => match (value / 1_000, value % 1_000) {
                (whole, 0) | (whole @ 100.., _) => whole.to_string(),
                (0, 1..10) => "below 0.01".to_owned(),
                (whole, part) if whole >= 10 || part.is_multiple_of(100) => {
                    format!("{whole}.{}", part / 100)
                }
                (whole, part) => format!("{whole}.{:02}", part / 10),
            },
            Self::Jobs => value.to_string(),
            Self::Milliseconds => match value {
                0..1_000 => format!("{value} ms"),
                1_000..60_000 if value.is_multiple_of(1_000) => format!("{} s", value / 1_000),
                1_000..60_000 => format!("{}.{} s", value / 1_000, value % 1_000 / 100),
                60_000..7_200_000 => format!("{} min", value / 60_000),
                _ => format!("{} h", value / 3_600_000),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_nothing_is_known() {
        let values = [
            Some(0),
            Some(10),
            None,
            Some(5),
            None,
            None,
            Some(10),
            Some(0),
        ];
        assert_eq!(path(&values, 10), "M5 1000L15 0M30 500h10M65 0L75 1000");
        assert_eq!(path(&[None], 10), "");
    }

    #[test]
    fn jobs_that_ended_are_drawn_by_the_state_they_ended_in() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute);
        let point = |minute, [done, dead, cancelled]: [u64; 3]| Point {
            at: at(minute),
            minutes: 1,
            done: Some(done),
            dead: Some(dead),
            cancelled: Some(cancelled),
            ..Point::default()
        };
        let unknown = Point {
            at: at(1),
            ..Point::default()
        };
        let history = History {
            range: "1h",
            lane: None,
            step_seconds: 60,
            from: at(0),
            until: at(4),
            points: vec![
                point(0, [12, 0, 0]),
                unknown,
                point(2, [8, 1, 3]),
                point(3, [0, 0, 20]),
            ],
        };
        insta::assert_json_snapshot!(charts(&history)[0]);
    }

    #[test]
    fn scales_and_values_read_well() {
        assert_eq!([0, 1, 3, 10, 11, 201].map(round_up), [1, 1, 5, 10, 20, 500]);
        let rates = [0, 4, 17, 500, 1_000, 12_345, 999_900].map(|it| Unit::PerMinute.say(it));
        assert_eq!(
            rates,
            ["0", "below 0.01", "0.01", "0.5", "1", "12.3", "999"]
        );
        let times = [7, 1_000, 1_250, 90_000, 7_200_000].map(|it| Unit::Milliseconds.say(it));
        let scale = |value| {
            let top = Unit::Milliseconds.top(value);
            [top, top / 2]
                .map(|it| Unit::Milliseconds.say(it))
                .join(" ")
        };
        assert_eq!(
            [11, 20_000, 20_001, 150_000, 9_000_000].map(scale),
            [
                "20 ms 10 ms",
                "20 s 10 s",
                "1 min 30 s",
                "10 min 5 min",
                "4 h 2 h"
            ]
        );
        assert_eq!(times, ["7 ms", "1 s", "1.2 s", "1 min", "2 h"]);
    }
}
