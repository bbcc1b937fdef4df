//! `requests list|show|create|cancel`, through the API.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::args::{CreateRequest, RequestCommand};
use crate::exit::Failure;
use crate::output::{Output, cell, coloured, mood_of_state, table};

/// Each call waits so long at most, in seconds: less than the client waits for an answer.
const LONGEST_WAIT: u64 = 20;

pub(crate) async fn run(api: &Api, command: RequestCommand, output: Output) -> Result<(), Failure> {
    match command {
        RequestCommand::List {
            state,
            category,
            text,
            attention,
            limit,
        } => {
            let mut query = vec![];
            query.extend((!state.is_empty()).then(|| ("state", state.join(","))));
            query.extend(category.map(|it| ("category", it)));
            query.extend(text.map(|it| ("text", it)));
            query.extend(attention.then(|| ("attention", "true".to_owned())));
            let found = list(api, query, limit).await?;
            output.show(&found, |found| listing(found));
            Ok(())
        }
        RequestCommand::Show { id } => {
            let path = if api.is_operator() {
                format!("/v1/ops/requests/{id}")
            } else {
                format!("/v1/requests/{id}")
            };
            let request = api.get(&path, &[]).await?;
            output.show(&request, one);
            Ok(())
        }
        RequestCommand::Wait {
            id,
            goal,
            timeout_seconds,
        } => {
            let answer = wait(api, id, &goal, timeout_seconds).await?;
            output.show(&answer["request"], one);
            if answer["reached"] == true {
                Ok(())
            } else {
                Err(Failure::Unhealthy)
            }
        }
        RequestCommand::Create(request) => {
            let taken = api.post("/v1/requests", &body(request)).await?;
            output.show(&taken, |it| {
                format!("{} is {}", cell(&it["id"]), cell(&it["state"]))
            });
            Ok(())
        }
        RequestCommand::Cancel { id, reason } => {
            let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
            let request = api
                .post(&format!("/v1/requests/{id}/cancel"), &body)
                .await?;
            output.show(&request, |it| {
                format!("{} is {}", cell(&it["id"]), cell(&it["state"]))
            });
            Ok(())
        }
    }
}

/// Calls as often as one call cannot wait long enough; the last answer.
async fn wait(api: &Api, id: Uuid, goal: &str, timeout_seconds: u64) -> Result<Value, Failure> {
    let mut left = timeout_seconds;
    loop {
        let now = left.min(LONGEST_WAIT);
        let query = [
            ("for", goal.to_owned()),
            ("timeout_seconds", now.to_string()),
        ];
        let answer = api.get(&format!("/v1/requests/{id}/wait"), &query).await?;
        left -= now;
        if answer["reached"] == true || left == 0 {
            return Ok(answer);
        }
    }
}

/// Follows the pages until `limit` requests are there.
async fn list(api: &Api, query: Vec<(&str, String)>, limit: u32) -> Result<Vec<Value>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut cursor = None;
    while found.len() < limit {
        let mut page = query.clone();
        page.push(("limit", (limit - found.len()).min(200).to_string()));
        page.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let answer = api.get("/v1/requests", &page).await?;
        found.extend(answer["items"].as_array().cloned().unwrap_or_default());
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(found)
}

fn listing(found: &[Value]) -> String {
    if found.is_empty() {
        return "No request matches.".to_owned();
    }
    let rows = found.iter().map(|it| {
        let state = cell(&it["state"]);
        vec![
            cell(&it["id"]),
            cell(&it["external_id"]),
            coloured(&state, mood_of_state(&state)),
            cell(&it["ticket"]["number"]),
            cell(&it["category"]),
            cell(&it["item"]),
            cell(&it["requested_for"]),
            cell(&it["attention"]),
        ]
    });
    table(
        &[
            "id",
            "external id",
            "state",
            "ticket",
            "category",
            "item",
            "for",
            "attention",
        ],
        rows,
    )
}

const SHOWN: [(&str, &str); 9] = [
    ("Request", "id"),
    ("External id", "external_id"),
    ("State", "state"),
    ("Reason", "reason"),
    ("Attention", "attention"),
    ("Route", "route"),
    ("Item", "item"),
    ("For", "requested_for"),
    ("Asked by", "requester"),
];

fn one(request: &Value) -> String {
    let line = |name: &str, value: String| format!("{name:<12} {value}");
    let mut lines: Vec<_> = SHOWN
        .iter()
        .filter(|(_, key)| !request[*key].is_null())
        .map(|(name, key)| line(name, cell(&request[*key])))
        .collect();
    let ticket = &request["ticket"];
    if !ticket.is_null() {
        let value = format!(
            "{} (state {})",
            cell(&ticket["number"]),
            cell(&ticket["state"])
        );
        lines.push(line("Ticket", value));
    }
    lines.extend(decided(&request["state_map"]));
    let timeline = ["at", "actor", "action", "from", "to", "reason"];
    let attempts = [
        "started_at",
        "kind",
        "number",
        "outcome",
        "class",
        "message",
    ];
    // Sources and operators know them by different names.
    for (title, keys, columns) in [
        ("Timeline", ["timeline", "trail"], timeline),
        ("Attempts", ["attempts", "runs"], attempts),
    ] {
        let rows = keys.iter().map(|key| &request[*key]);
        lines.extend(
            rows.filter(|it| !it.is_null())
                .find_map(|it| section(title, it, &columns)),
        );
    }
    lines.join("\n")
}

/// How the state map decided; told to operators.
fn decided(map: &Value) -> Vec<String> {
    if map.is_null() {
        return Vec::new();
    }
    let line = |name: &str, value: String| format!("{name:<12} {value}");
    let values = [
        ("state", "state"),
        ("approval", "approval"),
        ("close code", "close_code"),
    ];
    let seen: Vec<String> = values
        .iter()
        .filter(|(_, key)| !map[*key].is_null())
        .map(|(name, key)| format!("{name} {}", cell(&map[*key])))
        .collect();
    let seen = seen.join(", ");
    let mut lines = vec![
        "\nHow the state map decided".to_owned(),
        line("Last seen", format!("{seen}, at {}", cell(&map["seen_at"]))),
        line(
            "Map",
            format!(
                "of route {}, mastery {}",
                cell(&map["route"]),
                cell(&map["mastery"])
            ),
        ),
    ];
    let facts = [
        ("Entry", "rule"),
        ("Gave", "gave"),
        ("Decided", "decided_at"),
    ];
    lines.extend(
        facts
            .iter()
            .filter(|(_, key)| !map[*key].is_null())
            .map(|(name, key)| line(name, cell(&map[*key]))),
    );
    lines.push(line("Outcome", cell(&map["outcome"])));
    let present = &map["present"];
    if !present.is_null() {
        let gives = present["gives"].as_str().map_or_else(
            || "the value is not mapped".to_owned(),
            |gives| format!("{} gives {gives}", cell(&present["rule"])),
        );
        let next = cell(&present["next"]);
        lines.push(line("Today", format!("{gives}. {next}")));
    }
    if let Some(add) = map["add"].as_str() {
        lines.push(format!(
            "To map it, put this below the route, with one state in the last line:\n{}",
            add.trim_end()
        ));
    }
    lines
}

fn section(title: &str, rows: &Value, columns: &[&str]) -> Option<String> {
    let rows = rows.as_array().filter(|rows| !rows.is_empty())?.iter();
    let rows = rows.map(|row| columns.iter().map(|column| cell(&row[*column])).collect());
    Some(format!("\n{title}\n{}", table(columns, rows)))
}

fn body(request: CreateRequest) -> Value {
    let mut body = json!({
        "external_id": request.external_id,
        "category": request.category,
        "item": request.item,
        "requested_for": request.requested_for.unwrap_or_else(|| request.requester.clone()),
        "requester": request.requester,
        "priority": request.priority,
    });
    if let Some(justification) = request.justification {
        body["justification"] = Value::String(justification);
    }
    if !request.attributes.is_empty() {
        let attributes: Map<_, _> = request
            .attributes
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)))
            .collect();
        body["attributes"] = Value::Object(attributes);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_map_decided_as_people_read_it() {
        let mapped = json!({
            "route": "access", "mastery": "servicenow", "state": "2", "approval": "requested", "close_code": null,
            "seen_at": "2030-03-01T09:00:01Z", "rule": "states_in.\"2\" of the built-in map", "gave": "in_progress",
            "decided_at": "2030-03-01T09:00:01Z", "outcome": "The map says in progress, and so does the request.",
            "present": {"rule": "states_in.\"2\"", "gives": "on_hold", "next": "A worker applies it within seconds."}, "add": null,
        });
        let unmapped = json!({
            "route": "access", "mastery": "servicenow", "state": "42", "approval": null, "close_code": null,
            "seen_at": "2030-03-01T09:00:01Z", "rule": null, "gave": null, "decided_at": "2030-03-01T09:00:01Z",
            "outcome": "The map did not know the state `42`, so the request stays open: nothing is guessed.", "present": null,
            "add": "[routes.states_in]\n\"1\" = \"open\"\n\"42\" = \"open, in_progress, …\"\n",
        });
        let told = [mapped, unmapped, Value::Null].map(|map| decided(&map).join("\n"));
        insta::assert_snapshot!(told.join("\n---"));
    }
}
