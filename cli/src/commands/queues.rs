//! `queues list|history|pause|resume|concurrency`, through the operator API.

use serde_json::{Value, json};

use crate::api::Api;
use crate::args::{JobsAtATime, QueueCommand};
use crate::exit::Failure;
use crate::output::{Mood, Output, cell, coloured, table};

pub(crate) async fn run(api: &Api, command: QueueCommand, output: Output) -> Result<(), Failure> {
    let queues = match command {
        QueueCommand::List => api.get("/v1/ops/queues", &[]).await?,
        QueueCommand::History { range, lane } => return history(api, range, lane, output).await,
        QueueCommand::Pause { lane, reason } => {
            let path = format!("/v1/ops/queues/{}/pause", in_path(&lane));
            api.post(&path, &json!({ "reason": reason })).await?
        }
        QueueCommand::Resume { lane } => {
            let path = format!("/v1/ops/queues/{}/resume", in_path(&lane));
            api.post(&path, &json!({})).await?
        }
        QueueCommand::Concurrency { lane, jobs, reason } => {
            let path = format!("/v1/ops/queues/{}/concurrency", in_path(&lane));
            let queues = api.get("/v1/ops/queues", &[]).await?;
            let mut items = queues["items"].as_array().into_iter().flatten();
            let present = items.find(|it| it["lane"] == lane.as_str());
            let expected = present.map_or(&Value::Null, |it| &it["concurrency"]["set"]);
            let mut body = json!({ "expected": expected, "reason": reason });
            match jobs {
                JobsAtATime::Configured => api.delete(&path, &body).await?,
                JobsAtATime::Set(jobs) => {
                    body["jobs"] = json!(jobs);
                    api.put(&path, &body).await?
                }
            }
        }
    };
    output.show(&queues, |queues| {
        let rows = queues["items"].as_array().into_iter().flatten().map(row);
        let headings = [
            "lane",
            "state",
            "bells",
            "rung",
            "due",
            "running",
            "at a time",
            "parked",
            "dead",
            "workers",
            "oldest due",
        ];
        table(&headings, rows)
    });
    Ok(())
}

/// What was done, a point a line; what is not known is left empty.
async fn history(
    api: &Api,
    range: String,
    lane: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let lane = lane.map(|lane| ("lane", lane));
    let query: Vec<_> = [("range", range)].into_iter().chain(lane).collect();
    let history = api.get("/v1/ops/history", &query).await?;
    output.show(&history, |history| {
        let names = [
            "at",
            "minutes",
            "created",
            "done",
            "dead",
            "cancelled",
            "parked",
            "retried",
            "waiting",
        ];
        let rows = history["points"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| {
                let counts = names.iter().map(|name| cell(&it[*name]));
                let times = ["p50_ms", "p95_ms"].map(|of| cell(&it["latency"][of]));
                counts.chain(times).collect()
            });
        let headings = [
            "from",
            "minutes",
            "stored",
            "done",
            "dead",
            "cancelled",
            "parked",
            "again",
            "waiting",
            "p50 ms",
            "p95 ms",
        ];
        table(&headings, rows)
    });
    Ok(())
}

fn row(it: &Value) -> Vec<String> {
    let state = if it["is_open"] == true {
        coloured("open", Mood::Good)
    } else {
        coloured("paused", Mood::Warn)
    };
    let first = ["bells", "rung", "due", "running"];
    let last = ["parked", "dead", "workers", "oldest_due_at"];
    let cells = |names: [&str; 4]| names.map(|name| cell(&it[name]));
    [cell(&it["lane"]), state]
        .into_iter()
        .chain(cells(first))
        .chain([at_a_time(&it["concurrency"])])
        .chain(cells(last))
        .collect()
}

/// `6`, or `2 (configured: 6)` where an operator has set it.
fn at_a_time(it: &Value) -> String {
    let jobs = cell(&it["jobs"]);
    if it["set"].is_null() {
        return jobs;
    }
    format!("{jobs} (configured: {})", cell(&it["configured"]))
}

/// A name as one part of a path.
pub(crate) fn in_path(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}
