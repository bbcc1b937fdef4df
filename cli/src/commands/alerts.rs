//! `alerts list|silence|resume|test`, through the operator API.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use super::queues::in_path;
use crate::api::Api;
use crate::args::AlertCommand;
use crate::exit::Failure;
use crate::output::{Mood, Output, cell, coloured, table};

pub(crate) async fn run(api: &Api, command: AlertCommand, output: Output) -> Result<(), Failure> {
    let alerts = match command {
        AlertCommand::List => api.get("/v1/ops/alerts", &[]).await?,
        AlertCommand::Silence {
            name,
            minutes,
            until,
            reason,
        } => {
            let ends = SystemClock.now() + TimeDelta::minutes(i64::from(minutes));
            let until = until.unwrap_or_else(|| ends.to_rfc3339_opts(SecondsFormat::Secs, true));
            let path = format!("/v1/ops/alerts/{}/silence", in_path(&name));
            let body = json!({ "until": until, "reason": reason });
            api.post(&path, &body).await?
        }
        AlertCommand::Resume { name } => {
            let path = format!("/v1/ops/alerts/{}/resume", in_path(&name));
            api.post(&path, &json!({})).await?
        }
        AlertCommand::Test { destination } => return test(api, &destination, output).await,
    };
    output.show(&alerts, described);
    Ok(())
}

async fn test(api: &Api, destination: &str, output: Output) -> Result<(), Failure> {
    let path = format!("/v1/ops/alerts/destinations/{}/test", in_path(destination));
    let tested = api.post(&path, &json!({})).await?;
    let sent = tested["sent"] == true;
    output.show(&tested, |it| {
        let word = if sent {
            coloured("has taken the test message", Mood::Good)
        } else {
            coloured("has not taken the test message", Mood::Bad)
        };
        format!("{destination} {word}: {}", cell(&it["answer"]))
    });
    if sent {
        Ok(())
    } else {
        Err(Failure::Unhealthy)
    }
}

fn described(alerts: &Value) -> String {
    let rows = alerts["items"].as_array().into_iter().flatten().map(row);
    let headings = [
        "alert",
        "state",
        "severity",
        "since",
        "now",
        "from",
        "where",
        "last told",
    ];
    let mut text = table(&headings, rows);
    if alerts["is_on"] != true {
        text.push_str(
            "\nNobody is told: there is no [alerts.destinations.NAME] in the configuration.",
        );
    }
    for it in alerts["destinations"].as_array().into_iter().flatten() {
        if it["failing"].as_i64() > Some(0) {
            let line = format!(
                "\n{0} does not take messages: {1} wait for it; try it with `ticketbridge alerts test {0}`.",
                cell(&it["name"]),
                cell(&it["waiting"])
            );
            text.push_str(&line);
        }
    }
    text
}

fn row(it: &Value) -> Vec<String> {
    let word = cell(&it["state"]);
    let state = match (it["enabled"] == true, word.as_str()) {
        (false, _) => "off".to_owned(),
        (true, "firing") => coloured(&word, Mood::Bad),
        (true, "pending" | "quiet") => coloured(&word, Mood::Warn),
        (true, _) => coloured(&word, Mood::Good),
    };
    let findings = it["findings"].as_array().into_iter().flatten();
    let places: Vec<String> = findings.map(|it| cell(&it["at"])).collect();
    vec![
        cell(&it["name"]),
        state,
        cell(&it["severity"]),
        cell(&it["since"]),
        cell(&it["figure"]),
        cell(&it["threshold"]),
        places.join(" "),
        cell(&it["last_sent_at"]),
    ]
}
