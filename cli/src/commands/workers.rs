//! `workers list|drain`, through the operator API.

use serde_json::json;

use super::queues::in_path;
use crate::api::Api;
use crate::args::WorkerCommand;
use crate::exit::Failure;
use crate::output::{Output, cell, table};

pub(crate) async fn run(api: &Api, command: WorkerCommand, output: Output) -> Result<(), Failure> {
    let workers = match command {
        WorkerCommand::List => api.get("/v1/ops/workers", &[]).await?,
        WorkerCommand::Drain { id } => {
            let path = format!("/v1/ops/workers/{}/drain", in_path(&id));
            api.post(&path, &json!({})).await?
        }
    };
    output.show(&workers["items"], |all| {
        let rows = all.as_array().into_iter().flatten().map(|it| {
            let running = it["running"].as_array().map_or(0, Vec::len);
            let lanes = it["lanes"].as_array().into_iter().flatten().map(cell);
            vec![
                cell(&it["id"]),
                cell(&it["host"]),
                cell(&it["version"]),
                running.to_string(),
                cell(&it["heartbeat_at"]),
                if it["drain_at"].is_null() {
                    ""
                } else {
                    "drains"
                }
                .to_owned(),
                lanes.collect::<Vec<_>>().join(" "),
            ]
        });
        let headings = [
            "id",
            "host",
            "version",
            "running",
            "last heart-beat",
            "",
            "lanes",
        ];
        table(&headings, rows)
    });
    Ok(())
}
