//! `operations list|show|stop`, through the operator API.

use serde_json::{Value, json};

use crate::api::Api;
use crate::args::OperationCommand;
use crate::exit::Failure;
use crate::output::{Output, cell, table};

pub(crate) async fn run(
    api: &Api,
    command: OperationCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        OperationCommand::List => {
            let all = api.get("/v1/ops/operations", &[]).await?;
            output.show(&all["items"], |all| {
                let rows = all.as_array().into_iter().flatten().map(|it| {
                    let names = [
                        "id",
                        "action",
                        "state",
                        "operator",
                        "matched",
                        "done",
                        "skipped",
                        "created_at",
                    ];
                    names.iter().map(|name| cell(&it[*name])).collect()
                });
                table(
                    &[
                        "id", "action", "state", "by", "matched", "done", "left out", "begun",
                    ],
                    rows,
                )
            });
        }
        OperationCommand::Show { id } => {
            let it = api.get(&format!("/v1/ops/operations/{id}"), &[]).await?;
            output.show(&it, told);
        }
        OperationCommand::Stop { id } => {
            let path = format!("/v1/ops/operations/{id}/stop");
            let it = api.post(&path, &json!({})).await?;
            output.show(&it, told);
        }
    }
    Ok(())
}

/// How far an operation is.
pub(crate) fn told(it: &Value) -> String {
    let mut parts = vec![format!(
        "{} {}: {} of {} done, {} left out.",
        cell(&it["action"]),
        cell(&it["state"]),
        cell(&it["done"]),
        cell(&it["matched"]),
        cell(&it["skipped"])
    )];
    let why = it["last_skipped"].as_str();
    parts.extend(why.map(|why| format!("The last was left out because {why}.")));
    let what = it["waits_for"].as_str();
    parts.extend(what.map(|what| format!("It waits for {what}.")));
    if it["finished_at"].is_null() {
        parts.push(format!(
            "See `ticketbridge operations show {0}`; stop it with `ticketbridge operations stop {0}`.",
            cell(&it["id"])
        ));
    }
    parts.join(" ")
}
