//! `audit list|export`, through the operator API; `audit verify` asks nobody but the database.

use std::path::PathBuf;

use serde_json::Value;

use super::audit_verify;
use crate::api::Api;
use crate::args::{Audit, AuditCommand, AuditFilter};
use crate::exit::Failure;
use crate::output::{Output, cell, table};
use crate::wiring;

const PAGE: usize = 1_000;

pub(crate) async fn run(
    config: Option<PathBuf>,
    audit: Audit,
    output: Output,
) -> Result<(), Failure> {
    match audit.command {
        AuditCommand::Verify { head } => audit_verify::run(config, head.as_deref(), output).await,
        AuditCommand::List { filter, limit } => {
            list(&wiring::client(audit.api)?, &filter, limit, output).await
        }
        AuditCommand::Export { filter, format } => {
            let mut query = query(&filter);
            query.push(("format", format));
            let api = wiring::client(audit.api)?;
            api.print("/v1/ops/audit/export", &query).await
        }
    }
}

async fn list(api: &Api, filter: &AuditFilter, limit: u32, output: Output) -> Result<(), Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut entries: Vec<Value> = Vec::new();
    let mut cursor: Option<i64> = None;
    while entries.len() < limit {
        let mut query = query(filter);
        query.push(("limit", (limit - entries.len()).min(PAGE).to_string()));
        query.extend(cursor.map(|it| ("cursor", it.to_string())));
        let page = api.get("/v1/ops/audit", &query).await?;
        entries.extend(page["items"].as_array().cloned().unwrap_or_default());
        cursor = page["next_cursor"].as_i64();
        if cursor.is_none() {
            break;
        }
    }
    output.show(&entries, |entries| {
        let rows = entries.iter().map(|it| {
            let names = [
                "id",
                "at",
                "actor",
                "action",
                "subject_kind",
                "subject_id",
                "from",
                "to",
                "reason",
            ];
            names.iter().map(|name| cell(&it[*name])).collect()
        });
        let headings = [
            "entry", "at", "actor", "action", "kind", "of", "from", "to", "why",
        ];
        table(&headings, rows)
    });
    Ok(())
}

fn query(filter: &AuditFilter) -> Vec<(&'static str, String)> {
    [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("subject_kind", &filter.subject_kind),
        ("subject_id", &filter.subject_id),
        ("after", &filter.after),
        ("before", &filter.before),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.clone()?)))
    .collect()
}
