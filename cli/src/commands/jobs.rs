//! `jobs list|show|retry|run-now|cancel|kill|export`, through the operator API.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::api::Api;
use crate::args::{Act, JobCommand, JobFilter};
use crate::exit::Failure;
use crate::output::{Mood, Output, cell, coloured, table};

const PAGE: usize = 500;

pub(crate) async fn run(api: &Api, command: JobCommand, output: Output) -> Result<(), Failure> {
    match command {
        JobCommand::List { filter, limit } => list(api, &filter, limit, output).await,
        JobCommand::Show { id } => {
            let job = api.get(&format!("/v1/ops/jobs/{id}"), &[]).await?;
            output.show(&job, shown);
            Ok(())
        }
        JobCommand::Retry(act) => carry_out(api, "retry", act, output).await,
        JobCommand::RunNow(act) => carry_out(api, "run_now", act, output).await,
        JobCommand::Cancel(act) => carry_out(api, "cancel", act, output).await,
        JobCommand::Kill(act) => carry_out(api, "kill", act, output).await,
        JobCommand::Export { filter, format } => {
            let mut query = query(&filter);
            query.push(("format", format));
            api.print("/v1/ops/jobs/export", &query).await
        }
    }
}

async fn list(api: &Api, filter: &JobFilter, limit: u32, output: Output) -> Result<(), Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut jobs: Vec<Value> = Vec::new();
    let mut cursor = None;
    let mut looked_back_to = Value::Null;
    while jobs.len() < limit {
        let mut query = query(filter);
        query.push(("limit", (limit - jobs.len()).min(PAGE).to_string()));
        query.extend(cursor.take().map(|it| ("cursor", it)));
        let mut page = api.get("/v1/ops/jobs", &query).await?;
        jobs.extend(page["items"].as_array().cloned().unwrap_or_default());
        looked_back_to = page["looked_back_to"].take();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    output.show(&jobs, |jobs| {
        let rows = jobs.iter().map(|job| {
            vec![
                cell(&job["id"]),
                state(&job["state"]),
                cell(&job["kind"]),
                cell(&job["lane"]),
                cell(&job["attempts"]),
                cell(&job["updated_at"]),
                cell(&job["error_class"]),
            ]
        });
        let headings = [
            "id", "state", "kind", "lane", "attempts", "changed", "error",
        ];
        table(&headings, rows)
    });
    if cursor.is_none() && looked_back_to.is_string() {
        output.note(&format!("Looked back to {}.", cell(&looked_back_to)));
    }
    Ok(())
}

async fn carry_out(api: &Api, action: &str, act: Act, output: Output) -> Result<(), Failure> {
    if !act.ids.is_empty() && !query(&act.filter).is_empty() {
        return Err(Failure::Configuration(
            "ids and a filter were given: give one of them; nothing was done".to_owned(),
        ));
    }
    let mut body = json!({ "action": action, "per_minute": act.per_minute, "reason": act.reason });
    if act.wait {
        body["wait_for_circuit"] = json!(true);
    }
    if act.ids.is_empty() {
        body["filter"] = filter_of(&act.filter);
    } else {
        body["ids"] = json!(act.ids);
    }
    let mut count = body.clone();
    count["dry_run"] = json!(true);
    let forecast = api.post("/v1/ops/operations", &count).await?;
    if act.dry_run {
        output.show(&forecast, |it| cell(&it["will"]));
        return Ok(());
    }
    if !act.yes {
        confirm(&cell(&forecast["will"]))?;
    }
    // What was counted is what is done, or nothing is.
    body["expected"] = forecast["matched"].clone();
    let begun = api.post("/v1/ops/operations", &body).await?;
    output.show(&begun, super::operations::told);
    Ok(())
}

fn confirm(will: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Configuration(format!(
            "{will}\nNothing was done: give --yes to do it without being asked, or --dry-run to count only"
        )));
    }
    anstream::println!("{will}\nGo on? [y/N]");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("no answer could be read")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::Configuration("nothing was done".to_owned()))
}

fn query(filter: &JobFilter) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    query.extend((!filter.state.is_empty()).then(|| ("state", filter.state.join(","))));
    let texts = [
        ("kind", &filter.kind),
        ("lane", &filter.lane),
        ("connection", &filter.connection),
        ("error_class", &filter.error_class),
        ("text", &filter.text),
        ("created_after", &filter.created_after),
        ("created_before", &filter.created_before),
        ("finished_after", &filter.finished_after),
        ("finished_before", &filter.finished_before),
    ];
    let given = texts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)));
    query.extend(given);
    query.extend(filter.request_id.map(|id| ("request_id", id.to_string())));
    query
}

fn filter_of(filter: &JobFilter) -> Value {
    let mut object = serde_json::Map::new();
    for (name, value) in query(filter) {
        let value = match name {
            "state" => json!(filter.state),
            _ => json!(value),
        };
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

fn state(word: &Value) -> String {
    let text = cell(word);
    let mood = match text.as_str() {
        "done" => Mood::Good,
        "dead" => Mood::Bad,
        "parked" | "cancelled" => Mood::Warn,
        _ => Mood::Busy,
    };
    coloured(&text, mood)
}

fn shown(job: &Value) -> String {
    let facts = [
        "id",
        "kind",
        "state",
        "lane",
        "request_id",
        "attempts",
        "claims",
        "created_at",
        "due_at",
        "first_started_at",
        "updated_at",
        "finished_at",
        "worker",
        "dedup_key",
        "error_class",
        "error",
    ];
    let mut lines: Vec<String> = facts
        .iter()
        .map(|name| (name, cell(&job[*name])))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<18}{value}"))
        .collect();
    for run in job["runs"].as_array().into_iter().flatten() {
        let parts = ["started_at", "outcome", "class", "message"].map(|name| cell(&run[name]));
        lines.push(String::new());
        lines.push(parts.join("  "));
        for call in run["calls"].as_array().into_iter().flatten() {
            let names = ["method", "path", "class", "status", "transaction_id"];
            let parts = names.map(|name| cell(&call[name])).join("  ");
            lines.push(format!("  {parts}  {} ms", cell(&call["duration_ms"])));
        }
    }
    lines.join("\n")
}
