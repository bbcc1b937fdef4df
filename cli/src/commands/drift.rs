//! `drift run|show`: compares tables with the instances, and shows what the last comparisons found (N26).

use std::path::PathBuf;

use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::config::Settings;
use shared::job::{DriftCheck, NewJob, Payload};
use shared::store::drift::{self, Report};
use shared::store::{Store, jobs};

use crate::args::Drift;
use crate::exit::Failure;
use crate::output::{Output, table};
use crate::wiring;

pub(crate) async fn run(
    config: Option<PathBuf>,
    command: Drift,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let (Drift::Run { connection } | Drift::Show { connection, .. }) = &command;
    wiring::known_connection(&settings, connection.as_deref())?;
    let store = match command {
        Drift::Show { .. } => wiring::connect_to_read(&settings).await?,
        Drift::Run { .. } => wiring::connect_migrated(&settings).await?,
    };
    match command {
        Drift::Run { connection } => start(&settings, &store, connection.as_deref(), output).await,
        Drift::Show { connection, limit } => {
            show(&store, connection.as_deref(), limit, output).await
        }
    }
}

/// Stores the jobs; a running scheduler rings them.
async fn start(
    settings: &Settings,
    store: &Store,
    connection: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let routes = settings
        .compile_routes()
        .map_err(|problems| Failure::Configuration(problems.to_string()))?;
    let mut tables: Vec<(String, String)> = routes
        .iter()
        .filter(|route| connection.is_none_or(|only| route.connection == only))
        .map(|route| (route.connection.clone(), route.kind.table().to_owned()))
        .collect();
    tables.sort();
    tables.dedup();
    if tables.is_empty() {
        return Err(Failure::NotFound(
            "no route writes to this connection, so there is nothing to compare".to_owned(),
        ));
    }
    let now = SystemClock.now();
    for (connection, table) in &tables {
        let job = NewJob {
            dedup_key: Some(format!("drift:{connection}:{table}")),
            payload: Payload::CheckDrift(DriftCheck {
                connection: connection.clone(),
                table: table.clone(),
                rest: None,
            }),
            connection: Some(connection.clone()),
            request_id: None,
            priority: 1,
            due_at: now,
            traceparent: None,
        };
        jobs::insert_due(store.conn(), &job, now)
            .await
            .map_err(wiring::database_failure)?;
    }
    let named: Vec<String> = tables
        .iter()
        .map(|(at, table)| format!("{at}/{table}"))
        .collect();
    output.show(&json!({ "started": named }), |_| {
        format!(
            "{} will be compared by a running worker; see `ticketbridge drift show`.",
            named.join(", ")
        )
    });
    Ok(())
}

async fn show(
    store: &Store,
    connection: Option<&str>,
    limit: u32,
    output: Output,
) -> Result<(), Failure> {
    let reports = drift::newest(store.conn(), connection, u64::from(limit))
        .await
        .map_err(wiring::database_failure)?;
    if reports.is_empty() {
        return Err(Failure::NotFound(
            "nothing was compared yet; `ticketbridge drift run` starts it".to_owned(),
        ));
    }
    output.show(&reports, |reports| described(reports));
    Ok(())
}

fn described(reports: &[Report]) -> String {
    let headings = [
        "began", "table", "verdict", "ours", "counted", "compared", "repaired", "flagged",
        "failed", "reason",
    ];
    table(&headings, reports.iter().map(row))
}

fn row(it: &Report) -> Vec<String> {
    let verdict = it.verdict.map_or("running", shared::drift::Verdict::as_str);
    let tally = &it.tally;
    let mut row = vec![
        it.started_at.format("%Y-%m-%d %H:%M").to_string(),
        format!("{}/{}", it.connection, it.table),
        verdict.to_owned(),
    ];
    let numbers = [
        it.expected,
        it.found,
        tally.checked,
        tally.repaired,
        tally.flagged,
        tally.failed,
    ];
    row.extend(numbers.map(|number| number.to_string()));
    row.push(it.reason.clone().unwrap_or_default());
    row
}
