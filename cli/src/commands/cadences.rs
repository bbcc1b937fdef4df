//! `cadences list|run|pause|resume`, through the operator API.

use serde_json::json;

use super::queues::in_path;
use crate::api::Api;
use crate::args::CadenceCommand;
use crate::exit::Failure;
use crate::output::{Output, cell, table};

pub(crate) async fn run(api: &Api, command: CadenceCommand, output: Output) -> Result<(), Failure> {
    let (name, deed) = match command {
        CadenceCommand::List => (None, ""),
        CadenceCommand::Run { name } => (Some(name), "run"),
        CadenceCommand::Pause { name } => (Some(name), "pause"),
        CadenceCommand::Resume { name } => (Some(name), "resume"),
    };
    let cadences = match name {
        None => api.get("/v1/ops/cadences", &[]).await?,
        Some(name) => {
            let path = format!("/v1/ops/cadences/{}/{deed}", in_path(&name));
            api.post(&path, &json!({})).await?
        }
    };
    output.show(&cadences["items"], |all| {
        let rows = all.as_array().into_iter().flatten().map(|it| {
            let state = if it["paused"] == true {
                "paused"
            } else {
                "runs"
            };
            let names = [
                "every_seconds",
                "next_at",
                "last_started_at",
                "last_finished_at",
            ];
            [cell(&it["name"]), state.to_owned()]
                .into_iter()
                .chain(names.iter().map(|name| cell(&it[*name])))
                .collect()
        });
        let headings = [
            "name",
            "state",
            "every s",
            "next",
            "last began",
            "last ended well",
        ];
        table(&headings, rows)
    });
    Ok(())
}
