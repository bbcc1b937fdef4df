//! `routes list|show|off|on`, through the operator API.

use serde_json::{Value, json};

use super::queues::in_path;
use crate::api::Api;
use crate::args::RouteCommand;
use crate::exit::Failure;
use crate::output::{Mood, Output, cell, coloured, table};

pub(crate) async fn run(api: &Api, command: RouteCommand, output: Output) -> Result<(), Failure> {
    let path = |name: &str| format!("/v1/ops/routes/{}", in_path(name));
    let route = match command {
        RouteCommand::List => {
            let routes = api.get("/v1/ops/routes", &[]).await?;
            output.show(&routes["items"], list);
            return Ok(());
        }
        RouteCommand::Show { name } => api.get(&path(&name), &[]).await?,
        RouteCommand::Off { name, reason } => {
            let body = json!({ "reason": reason });
            api.post(&format!("{}/off", path(&name)), &body).await?
        }
        RouteCommand::On { name, reason } => {
            let body = json!({ "reason": reason });
            api.post(&format!("{}/on", path(&name)), &body).await?
        }
    };
    output.show(&route, described);
    Ok(())
}

fn list(routes: &Value) -> String {
    let rows = routes.as_array().into_iter().flatten().map(|it| {
        let names = [
            "source",
            "category",
            "connection",
            "table",
            "mastery",
            "unmapped",
        ];
        [cell(&it["name"]), state(it)]
            .into_iter()
            .chain(names.iter().map(|name| cell(&it[*name])))
            .chain([fits(&it["choices"])])
            .collect()
    });
    let headings = [
        "name",
        "state",
        "source",
        "category",
        "connection",
        "table",
        "decides",
        "unmapped",
        "choice list",
    ];
    table(&headings, rows)
}

fn state(route: &Value) -> String {
    if route["on"] == true {
        coloured("on", Mood::Good)
    } else {
        coloured("off", Mood::Warn)
    }
}

/// Whether the map fits the choice list of the instance.
fn fits(choices: &Value) -> String {
    match choices["verdict"].as_str() {
        None => "not compared".to_owned(),
        Some("agrees") => coloured("fits", Mood::Good),
        Some("drifted") => coloured("does not fit", Mood::Warn),
        Some(_) => "cannot tell".to_owned(),
    }
}

fn described(route: &Value) -> String {
    let meanings = rows(route, "meanings", &["column", "value", "state"]);
    [
        heading(route),
        table(&["column", "value", "the request is then"], meanings),
        unmapped(route),
        choices(&route["choices"]),
    ]
    .join("\n\n")
}

fn heading(route: &Value) -> String {
    let what = format!(
        "{}: {}, {} of source {} -> {} on {}",
        cell(&route["name"]),
        state(route),
        cell(&route["category"]),
        cell(&route["source"]),
        cell(&route["table"]),
        cell(&route["connection"])
    );
    let off = &route["off"];
    if route["off_by_configuration"] == true {
        format!("{what}\noff by the configuration: set enabled = true and restart the bridge")
    } else if off.is_null() {
        what
    } else {
        format!(
            "{what}\noff since {} by {}: {}",
            cell(&off["at"]),
            cell(&off["by"]),
            cell(&off["reason"])
        )
    }
}

fn unmapped(route: &Value) -> String {
    let columns = [
        "field",
        "value",
        "count",
        "first_seen_at",
        "last_seen_at",
        "example",
    ];
    let values = rows(route, "unmapped_values", &columns);
    if values.is_empty() {
        return "No request is flagged for a value that the map does not know.".to_owned();
    }
    let headings = [
        "unmapped",
        "value",
        "requests",
        "first seen",
        "last seen",
        "for example",
    ];
    table(&headings, values)
}

fn choices(choices: &Value) -> String {
    if choices.is_null() {
        return "The choice list of the instance was not compared with the map yet.".to_owned();
    }
    let heading = format!(
        "Choice list: {}, read at {}.",
        fits(choices),
        cell(&choices["read_at"])
    );
    if let Some(problem) = choices["problem"].as_str() {
        return format!("{heading}\n{problem}");
    }
    let findings = choices["findings"].as_array().into_iter().flatten();
    let lines = findings.map(|it| {
        format!(
            "\n{}: {}\n  fix: {}",
            cell(&it["difference"]),
            cell(&it["what"]),
            cell(&it["fix"])
        )
    });
    [heading].into_iter().chain(lines).collect()
}

fn rows(route: &Value, name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let all = route[name].as_array().into_iter().flatten();
    all.map(|it| columns.iter().map(|name| cell(&it[*name])).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_list_as_people_read_it() {
        let drifted = json!({
            "verdict": "drifted", "read_at": "2026-03-02T09:00:00Z", "problem": null, "compared": ["incident.state"],
            "findings": [{
                "difference": "unread", "column": "state", "value": "9", "label": "Awaiting Parts",
                "what": "states_in has no entry for \"9\" (Awaiting Parts), which can be chosen in incident.state",
                "fix": "say in states_in of the route what the value means",
            }],
        });
        let untold = json!({
            "verdict": "cannot_tell", "read_at": "2026-03-02T09:00:00Z", "findings": [], "compared": [],
            "problem": "The account of this connection may not read sys_choice.",
        });
        let told = [&drifted, &untold, &Value::Null].map(choices);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\x1b\[\d+m", "");
        settings.bind(|| insta::assert_snapshot!(told.join("\n---\n")));
    }
}
