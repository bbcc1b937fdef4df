//! The lanes, with as many figures as there is room for.

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{NARROW, age, heading, moment, number, style};
use crate::output::{Mood, cell};
use crate::top::state::Screen;

/// From this width on a lane shows all its figures.
const WIDE: u16 = 76;

/// The lanes that there is room for, around the one under the cursor.
pub(super) fn lane_lines(screen: &Screen, now: DateTime<Utc>, area: Rect) -> Vec<Line<'static>> {
    let width = area.width;
    let name = lane_width(screen, width);
    let some = match width {
        NARROW.. => format!(" {:>7} {:>6} {:>5}", "running", "parked", "dead"),
        _ => String::new(),
    };
    let all = match width {
        WIDE.. => format!(" {:>6} {:>7}", "rung", "workers"),
        _ => String::new(),
    };
    let columns = format!("  {:name$} {:>6}{some}{all} {:>7}", "Lane", "due", "oldest");
    let room = usize::from(area.height).saturating_sub(1);
    let first = (screen.chosen + 1).saturating_sub(room);
    let shown = screen
        .data
        .lanes()
        .iter()
        .enumerate()
        .skip(first)
        .take(room);
    let rows = shown.map(|(place, lane)| lane_line(screen, lane, place, name, width, now));
    [heading(screen, &columns)]
        .into_iter()
        .chain(rows)
        .collect()
}

fn lane_width(screen: &Screen, width: u16) -> usize {
    let figures = match width {
        WIDE.. => 52,
        NARROW.. => 37,
        _ => 18,
    };
    let names = screen
        .data
        .lanes()
        .iter()
        .map(|it| cell(&it["lane"]).chars().count());
    let longest = names.max().unwrap_or(4).max(4) + 7;
    longest
        .min(usize::from(width).saturating_sub(figures))
        .max(8)
}

fn lane_line(
    screen: &Screen,
    lane: &Value,
    place: usize,
    name_width: usize,
    width: u16,
    now: DateTime<Utc>,
) -> Line<'static> {
    let is_open = lane["is_open"] == true;
    let mark = if place == screen.chosen { ">" } else { " " };
    let state = if is_open { "" } else { "paused " };
    let name: String = format!("{state}{}", cell(&lane["lane"]))
        .chars()
        .take(name_width)
        .collect();
    let base = match (place == screen.chosen, is_open) {
        (true, _) => Style::new().add_modifier(Modifier::REVERSED),
        (false, false) => style(screen, Mood::Warn),
        (false, true) => Style::new(),
    };
    let count = |of: &str| number(&lane[of]);
    let figure = |of: &str, wide: usize, mood: Mood| {
        let style = if count(of) > 0 {
            style(screen, mood)
        } else {
            Style::new()
        };
        Span::styled(format!(" {:>wide$}", count(of)), style)
    };
    let plain = |of: &str, wide: usize| Span::raw(format!(" {:>wide$}", count(of)));
    let mut spans = vec![
        Span::raw(format!("{mark} {name:name_width$}")),
        plain("due", 6),
    ];
    if width >= NARROW {
        spans.push(plain("running", 7));
        spans.push(figure("parked", 6, Mood::Warn));
        spans.push(figure("dead", 5, Mood::Bad));
    }
    if width >= WIDE {
        spans.push(plain("rung", 6));
        spans.push(plain("workers", 7));
    }
    let oldest = moment(&lane["oldest_due_at"]).map_or("–".to_owned(), |due| age(now - due));
    spans.push(Span::raw(format!(" {oldest:>7}")));
    Line::from(spans).style(base)
}
