//! The rest of a frame: budgets, workers, operations.

use chrono::{DateTime, Utc};
use ratatui::text::Line;

use super::{NARROW, age, heading, moment, style};
use crate::output::{Mood, cell};
use crate::top::data::list;
use crate::top::state::Screen;

/// The budget of each connection, and what holds it back.
pub(super) fn connections(screen: &Screen, now: DateTime<Utc>, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for it in list(&screen.data.overview["connections"]) {
        let calls = match (it["limit"].as_i64(), it["left"].as_i64()) {
            (Some(limit), Some(left)) => {
                let reset = moment(&it["resets_at"])
                    .map_or_else(String::new, |at| format!(", anew {}", at.format("%H:%M")));
                format!("{} of {limit} calls{reset}", limit - left)
            }
            _ => "no limit named".to_owned(),
        };
        let (name, forecast) = (cell(&it["name"]), cell(&it["forecast"]));
        if width < NARROW {
            lines.push(Line::raw(format!("  {name}  {calls}")));
            lines.push(Line::raw(format!("    {forecast}")));
        } else {
            lines.push(Line::raw(format!("  {name}  {calls}  {forecast}")));
        }
        if let Some(until) = moment(&it["throttled_until"]).filter(|until| *until > now) {
            let why = cell(&it["throttled_why"]);
            let text = format!("    not called until {}: {why}", until.format("%H:%M:%S"));
            lines.push(Line::styled(text, style(screen, Mood::Warn)));
        }
        for circuit in list(&it["circuits"]) {
            let mood = if circuit["wants_a_hand"] == true {
                Mood::Bad
            } else {
                Mood::Warn
            };
            let text = format!(
                "    {}: {}",
                cell(&circuit["name"]),
                cell(&circuit["reason"])
            );
            lines.push(Line::styled(text, style(screen, mood)));
        }
    }
    lines
}

pub(super) fn workers(screen: &Screen, now: DateTime<Utc>) -> Vec<Line<'static>> {
    let all = list(&screen.data.workers["items"]);
    if all.is_empty() {
        let text = "No worker is alive: nothing is carried out until one starts.";
        return vec![Line::styled(text, style(screen, Mood::Bad))];
    }
    let mut lines = vec![heading(screen, &format!("Workers ({})", all.len()))];
    lines.extend(all.iter().take(4).map(|it| {
        let drains = if it["drain_at"].is_null() {
            ""
        } else {
            ", drains"
        };
        let beat = moment(&it["heartbeat_at"]).map_or_else(String::new, |at| age(now - at));
        let running = list(&it["running"]).len();
        let id = cell(&it["id"]);
        Line::raw(format!("  {id}  runs {running}, beat {beat} ago{drains}"))
    }));
    lines
}

pub(super) fn operations(screen: &Screen, now: DateTime<Utc>) -> Vec<Line<'static>> {
    let all = list(&screen.data.operations["items"]);
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![heading(screen, "Operations")];
    lines.extend(all.iter().take(5).map(|it| {
        let begun = moment(&it["created_at"]).map_or_else(String::new, |at| age(now - at));
        Line::raw(format!(
            "  {} {}: {} of {} by {}, {begun} ago",
            cell(&it["action"]),
            cell(&it["state"]),
            cell(&it["done"]),
            cell(&it["matched"]),
            cell(&it["operator"]),
        ))
    }));
    lines
}
