//! The top of a frame: where this is, whether it lives, and what was done.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::{NARROW, age, number, style};
use crate::output::{Mood, cell};
use crate::top::data::list;
use crate::top::state::Screen;

/// Where this is and whether it lives, and the totals.
pub(super) fn head(screen: &Screen, now: DateTime<Utc>, width: u16) -> Vec<Line<'static>> {
    let session = &screen.data.session;
    let state = if screen.trouble.is_some() {
        Span::styled("LOST", style(screen, Mood::Bad))
    } else if screen.is_held {
        Span::styled("held", style(screen, Mood::Warn))
    } else {
        Span::styled("live", style(screen, Mood::Good))
    };
    let environment = cell(&session["environment"]).to_uppercase();
    let mood = if environment == "PRODUCTION" {
        Mood::Bad
    } else {
        Mood::Busy
    };
    let mut first = vec![
        Span::styled(environment, style(screen, mood)),
        Span::raw("  "),
        state,
        Span::raw(format!(" {}", screen.at.format("%H:%M:%S UTC"))),
    ];
    if screen.trouble.is_some() || screen.is_held {
        first.push(Span::raw(format!(" ({} ago)", age(now - screen.at))));
    }
    if width >= NARROW {
        let who = format!(
            "  {} ({})  {}",
            cell(&session["operator"]),
            cell(&session["role"]),
            screen.url
        );
        first.push(Span::raw(who));
    }
    vec![Line::from(first), totals(screen, width)]
}

fn totals(screen: &Screen, width: u16) -> Line<'static> {
    let overview = &screen.data.overview;
    let totals = &overview["totals"];
    let waiting = number(&totals["due"]) + number(&totals["rung"]);
    let all = [
        ("waiting", "wait", waiting, None),
        ("running", "run", number(&totals["running"]), None),
        (
            "parked",
            "park",
            number(&totals["parked"]),
            Some(Mood::Warn),
        ),
        ("dead", "dead", number(&totals["dead"]), Some(Mood::Bad)),
        (
            "need attention",
            "flag",
            number(&overview["attention"]),
            Some(Mood::Warn),
        ),
    ];
    let mut spans = Vec::new();
    for (name, short, count, mood) in all {
        let name = if width < NARROW { short } else { name };
        let style = match mood {
            Some(mood) if count > 0 => style(screen, mood),
            _ => Style::new(),
        };
        spans.push(Span::styled(format!("{name} {count}"), style));
        spans.push(Span::raw(if width < NARROW { " " } else { "   " }));
    }
    Line::from(spans)
}

/// What was done in each minute of the last hour; what is not known is a dot.
pub(super) fn throughput(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let points = list(&screen.data.history["points"]);
    let done: Vec<Option<u64>> = points.iter().map(|it| it["done"].as_u64()).collect();
    let dead: u64 = points.iter().filter_map(|it| it["dead"].as_u64()).sum();
    let most = done.iter().flatten().max().copied().unwrap_or(0);
    let last = points.iter().rev().find(|it| it["done"].is_u64());
    let text = match last {
        None => "Done a minute: nothing is known of the last hour".to_owned(),
        Some(last) if area.width < NARROW => {
            format!("Done a minute: {}, most {most}", cell(&last["done"]))
        }
        Some(last) => {
            let within = &last["latency"]["p95_ms"];
            let took = within
                .as_u64()
                .map_or_else(String::new, |ms| format!(", 95 of 100 within {ms} ms"));
            format!(
                "Done a minute: {}{took}; of the last hour: most {most}, dead {dead}",
                cell(&last["done"])
            )
        }
    };
    let parts = Layout::vertical([Constraint::Length(1), Constraint::Length(2)]).split(area);
    frame.render_widget(Paragraph::new(text), parts[0]);
    // The newest minutes, when there is no room for all.
    let room = usize::from(area.width);
    let shown = done.len().saturating_sub(room);
    let bars = Sparkline::default()
        .data(done[shown..].iter().copied())
        .absent_value_symbol("·")
        .style(if screen.colour {
            Style::new().fg(Color::Green)
        } else {
            Style::new()
        });
    frame.render_widget(bars, parts[1]);
}
