//! From the screen to a frame: the same for a terminal, for a script and for a test.

mod below;
mod head;
mod lanes;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};
use serde_json::Value;

use self::below::{connections, operations, workers};
use self::head::{head, throughput};
use self::lanes::lane_lines;
use super::state::{Screen, Wish};
use crate::output::Mood;

/// Below this width the least of them.
const NARROW: u16 = 56;

const KEYS: &str = "q quit  p hold  ↑↓ lane  P pause/resume lane  ? help";
const FEW_KEYS: &str = "q quit  P lane  ? help";

const HELP: &str = "\
q, Esc     quit
p          hold the picture, and go on
↑ ↓ j k    choose a lane
P          pause or resume the lane; asks first
?          this help

due      waits for its time or for room
rung     offered to the workers
parked   waits for somebody to mend something
dead     given up, kept for you

Any key closes this.";

/// Draws all of it.
pub(super) fn frame(screen: &Screen, now: DateTime<Utc>, frame: &mut Frame<'_>) {
    let area = frame.area();
    let connections = connections(screen, now, area.width);
    let lanes = u16::try_from(screen.data.lanes().len()).unwrap_or(u16::MAX);
    let below = u16::try_from(connections.len()).unwrap_or(u16::MAX);
    let parts = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(3),
        Constraint::Max(lanes.saturating_add(1)),
        Constraint::Max(below.saturating_add(1)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .split(area);
    frame.render_widget(Paragraph::new(head(screen, now, area.width)), parts[0]);
    throughput(screen, frame, parts[1]);
    frame.render_widget(Paragraph::new(lane_lines(screen, now, parts[2])), parts[2]);
    let title = heading(screen, "Connections");
    let all: Vec<Line<'_>> = [title].into_iter().chain(connections).collect();
    frame.render_widget(Paragraph::new(all), parts[3]);
    let rest = workers(screen, now)
        .into_iter()
        .chain(operations(screen, now));
    frame.render_widget(Paragraph::new(rest.collect::<Vec<_>>()), parts[4]);
    frame.render_widget(Paragraph::new(foot(screen, area.width)), parts[5]);
    if let Some(wish) = &screen.asked {
        window(frame, "Lane", &question(wish));
    } else if screen.shows_help {
        window(frame, "Help", HELP);
    }
}

fn style(screen: &Screen, mood: Mood) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    if !screen.colour {
        return bold;
    }
    bold.fg(match mood {
        Mood::Good => Color::Green,
        Mood::Busy => Color::Cyan,
        Mood::Warn => Color::Yellow,
        Mood::Bad => Color::Red,
    })
}

fn heading(screen: &Screen, text: &str) -> Line<'static> {
    let style = if screen.colour {
        Style::new().fg(Color::Cyan)
    } else {
        Style::new()
    };
    Line::styled(text.to_owned(), style.add_modifier(Modifier::UNDERLINED))
}

/// The last line: trouble before news before keys.
fn foot(screen: &Screen, width: u16) -> Line<'static> {
    if let Some(trouble) = &screen.trouble {
        return Line::styled(trouble.clone(), style(screen, Mood::Bad));
    }
    if let Some(said) = &screen.said {
        let line = said.lines().next().unwrap_or_default().to_owned();
        return Line::styled(line, style(screen, Mood::Busy));
    }
    Line::raw(if width < NARROW { FEW_KEYS } else { KEYS })
}

fn question(wish: &Wish) -> String {
    if wish.on {
        return format!(
            "Resume {}?\nIts jobs are claimed again.\n\nEnter resumes, Esc leaves it.",
            wish.lane
        );
    }
    format!(
        "Pause {}?\nNo job of it is claimed until somebody resumes it.\n\nWhy: {}_\n\nEnter pauses once you have said why, Esc leaves it.",
        wish.lane, wish.reason
    )
}

/// A box in the middle, over what is there.
fn window(frame: &mut Frame<'_>, title: &str, text: &str) {
    let area = frame.area();
    let width = area.width.saturating_sub(2).min(60);
    let inside = usize::from(width.saturating_sub(4)).max(1);
    let rows: usize = text
        .lines()
        .map(|line| line.chars().count().div_ceil(inside).max(1))
        .sum();
    // Words that do not fit wrap earlier than letters would.
    let height = u16::try_from(rows + 3).unwrap_or(u16::MAX).min(area.height);
    let place = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered()
        .title(format!(" {title} "))
        .padding(Padding::horizontal(1));
    let paragraph = Paragraph::new(text.to_owned()).wrap(Wrap { trim: false });
    frame.render_widget(paragraph.block(block), place);
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn age(age: TimeDelta) -> String {
    match age.num_seconds().max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
