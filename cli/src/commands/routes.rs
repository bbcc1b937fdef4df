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

fn described(route: &Value) -> String {
    let meanings = rows(route, "meanings", &["column", "value", "state"]);
    [
        heading(route),
        table(&["column", "value", "the request is then"], meanings),
        unmapped(route),
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

fn rows(route: &Value, name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let all = route[name].as_array().into_iter().flatten();
    all.map(|it| columns.iter().map(|name| cell(&it[*name])).collect())
        .collect()
}
