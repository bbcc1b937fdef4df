//! `connections list|show|check`, through the operator API.

use std::time::Duration;

use serde::Deserialize as _;
use serde_json::{Value, json};
use shared::checkup::Step;
use tokio::time::Instant;

use super::doctor;
use super::queues::in_path;
use crate::api::Api;
use crate::args::ConnectionCommand;
use crate::exit::Failure;
use crate::output::{Mood, Output, cell, coloured, table};

/// How often is asked whether a check has ended.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    api: &Api,
    command: ConnectionCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        ConnectionCommand::List => {
            let all = api.get("/v1/ops/connections", &[]).await?;
            output.show(&all["items"], list);
            Ok(())
        }
        ConnectionCommand::Show { name } => {
            let shown = api.get(&path(&name), &[]).await?;
            output.show(&shown, described);
            Ok(())
        }
        ConnectionCommand::Check { name, wait } => {
            check(api, &name, Duration::from_secs(wait), output).await
        }
    }
}

fn path(name: &str) -> String {
    format!("/v1/ops/connections/{}", in_path(name))
}

/// Asks for a check and waits for its end, unless something is in its way.
async fn check(api: &Api, name: &str, wait: Duration, output: Output) -> Result<(), Failure> {
    let path = path(name);
    let mut shown = api.post(&format!("{path}/check"), &json!({})).await?;
    let until = Instant::now() + wait;
    while is_coming(&shown["check"]) && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        shown = api.get(&path, &[]).await?;
    }
    output.show(&shown["check"], steps);
    match shown["check"]["state"].as_str() {
        Some("good" | "warning") => Ok(()),
        _ => Err(Failure::Unhealthy),
    }
}

fn is_coming(check: &Value) -> bool {
    matches!(check["state"].as_str(), Some("waiting" | "running")) && check["note"].is_null()
}

fn list(connections: &Value) -> String {
    let rows = connections.as_array().into_iter().flatten().map(|it| {
        let held = it["budget"]["circuits"].as_array().into_iter().flatten();
        let held: Vec<String> = held
            .map(|circuit| {
                [
                    cell(&circuit["name"]),
                    " until ".into(),
                    cell(&circuit["until"]),
                ]
                .concat()
            })
            .collect();
        let now = if held.is_empty() {
            coloured("calls", Mood::Good)
        } else {
            coloured(&held.join(", "), Mood::Warn)
        };
        vec![
            cell(&it["name"]),
            now,
            cell(&it["url"]),
            cell(&it["auth"]),
            cell(&it["credential"]["days_left"]),
            cell(&it["last_success_at"]),
            cell(&it["failures"][0]["class"]),
            cell(&it["failures"][0]["at"]),
            cell(&it["check"]["state"]),
        ]
    });
    let headings = [
        "name",
        "now",
        "instance",
        "auth",
        "days left",
        "last success",
        "last failure",
        "at",
        "last check",
    ];
    table(&headings, rows)
}

fn described(shown: &Value) -> String {
    let budget = &shown["budget"];
    let circuits = budget["circuits"].as_array().into_iter().flatten();
    let held = circuits.map(|it| {
        format!(
            "{} is held back until {}: {}",
            cell(&it["name"]),
            cell(&it["until"]),
            cell(&it["reason"])
        )
    });
    let calls = if budget["limit"].is_null() {
        "no limit was named by the instance".to_owned()
    } else {
        format!(
            "{} of {} used by rule {}, anew at {}",
            cell(&budget["used"]),
            cell(&budget["limit"]),
            cell(&budget["rule"]),
            cell(&budget["resets_at"])
        )
    };
    let credential = &shown["credential"];
    let facts = [
        format!(
            "{}: {} ({})",
            cell(&shown["name"]),
            cell(&shown["url"]),
            cell(&shown["auth"])
        ),
        format!("calls of this hour: {calls}"),
        format!("backlog: {}", cell(&budget["forecast"])),
        format!(
            "credential: last worked {}, refused {} times, days left {}",
            or_dash(&credential["last_worked_at"]),
            cell(&credential["refused"]),
            or_dash(&credential["days_left"])
        ),
        format!("last success: {}", or_dash(&shown["last_success_at"])),
    ];
    let failures = shown["failures"].as_array().into_iter().flatten();
    let failures = failures.map(|it| {
        format!(
            "last {}: {} {}",
            cell(&it["class"]),
            cell(&it["at"]),
            cell(&it["message"])
        )
    });
    let lines: Vec<String> = facts.into_iter().chain(held).chain(failures).collect();
    format!("{}\n\n{}", lines.join("\n"), steps(&shown["check"]))
}

fn or_dash(value: &Value) -> String {
    if value.is_null() {
        "-".to_owned()
    } else {
        cell(value)
    }
}

/// What a check has found, or what it waits for.
fn steps(check: &Value) -> String {
    if check.is_null() {
        return "No check yet: `ticketbridge connections check NAME`.".to_owned();
    }
    let state = check["state"].as_str().unwrap_or_default();
    let note = match (state, &check["note"]) {
        (_, Value::String(note)) => format!("{}: {note}\n", state.replace('_', " ")),
        ("waiting" | "running", _) => format!("{state}; see `ticketbridge connections show`\n"),
        _ => String::new(),
    };
    let found = Vec::<Step>::deserialize(&check["steps"]).unwrap_or_default();
    std::iter::once(note)
        .chain(found.iter().map(doctor::line))
        .collect()
}
