//! From a template and what an operation answered to a page.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;

macro_rules! templates {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../console/templates/", $name)))),*]
    };
}

const TEMPLATES: &[(&str, &str)] = &templates![
    "base.html" "parts.html" "login.html" "signed_in.html" "overview.html" "jobs.html" "job.html" "confirm.html" "operations.html"
    "operation.html" "cadences.html" "queues.html" "pause.html" "workers.html" "audit.html" "requests.html" "request.html" "search.html"
    "error.html" "alerts.html" "silence.html" "routes.html" "route.html" "route_switch.html"
    "connections.html" "connection.html" "circuit.html" "concurrency.html"
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The page.
pub(super) fn render(template: &str, context: &Value) -> Result<String, Error> {
    ENVIRONMENT.get_template(template)?.render(Serde(context))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // A name that nobody set is a mistake of ours, and is to be seen by the first test that shows the page. Whether something is there may
    // be asked: views leave out what is empty.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in TEMPLATES {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(%error, name, "a template of the console does not read; this is a defect");
        }
    }
    environment.add_filter("iso", iso);
    environment.add_filter("clock", clock);
    environment.add_filter("mark", mark);
    environment.add_filter("spaced", spaced);
    environment.add_filter("grouped", grouped);
    environment.add_filter("tail", tail);
    environment.add_filter("pluralize", pluralize);
    environment.add_filter("trim_slash", trim_slash);
    environment.add_filter("span", span);
    environment.add_filter("operation_badge", operation_badge);
    environment.add_filter("alert_badge", alert_badge);
    environment.add_filter("check_badge", check_badge);
    environment
}

fn moment(text: &str) -> Result<DateTime<Utc>, Error> {
    text.parse().map_err(|error| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("`{text}` is no time: {error}"),
        )
    })
}

/// For programs: to the second.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn iso(text: String) -> Result<String, Error> {
    Ok(moment(&text)?.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// For people.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn clock(text: String) -> Result<String, Error> {
    Ok(moment(&text)?.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Beside an axis: the day, or the time of day.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn mark(text: String, by_day: bool) -> Result<String, Error> {
    let form = if by_day { "%a %-d %b" } else { "%H:%M" };
    Ok(moment(&text)?.format(form).to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn spaced(word: String) -> String {
    word.replace('_', " ")
}

/// 1234567 as 1,234,567.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// The end of an id: ids begin with their time, so those of a minute look alike at the front.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn tail(id: String) -> String {
    let from = id
        .char_indices()
        .rev()
        .nth(11)
        .map_or(0, |(place, _)| place);
    format!("…{}", &id[from..])
}

fn pluralize(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn trim_slash(pointer: String) -> String {
    pointer.trim_start_matches('/').to_owned()
}

/// Seconds as people say them.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

/// The colour and shape of where an operation stands.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn operation_badge(state: String) -> &'static str {
    match state.as_str() {
        "running" => "running",
        "waiting" => "hold",
        "stopped" => "cancelled",
        _ => "done",
    }
}

/// The colour and shape of where an alert stands.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn alert_badge(state: String) -> &'static str {
    match state.as_str() {
        "firing" => "bad",
        "quiet" => "paused",
        "pending" => "hold",
        _ => "ok",
    }
}

/// The colour and shape of where a check of a connection stands, or of what a step of it found.
#[expect(clippy::needless_pass_by_value, reason = "filters own their arguments")]
fn check_badge(state: String) -> &'static str {
    match state.as_str() {
        "good" => "ok",
        "warning" => "warn",
        "waiting" => "due",
        "running" => "running",
        "skipped" => "off",
        _ => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_reads() {
        for (name, _) in TEMPLATES {
            assert!(ENVIRONMENT.get_template(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn numbers_ids_and_times_are_written_for_people() {
        let told: Vec<String> = [0, 999, 1_000, 1_234_567, -12_345].map(grouped).to_vec();
        assert_eq!(told, ["0", "999", "1,000", "1,234,567", "-12,345"]);
        assert_eq!(
            tail("019cadc6-9a80-7e43-be06-b70e01ae4140".to_owned()),
            "…b70e01ae4140"
        );
        assert_eq!(tail("short".to_owned()), "…short");
        assert_eq!(
            clock("2030-03-01T09:00:00.5+01:00".to_owned()).unwrap(),
            "2030-03-01 08:00:00 UTC"
        );
        assert_eq!([30, 600, 86_400].map(span), ["30 s", "10 min", "24 h"]);
        assert!(iso("yesterday".to_owned()).is_err());
    }
}
