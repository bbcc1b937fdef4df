//! `check`: the whole configuration, every problem at once.

use std::path::PathBuf;

use serde_json::json;

use crate::exit::Failure;
use crate::output::{Output, table};
use crate::wiring::layers;
use shared::config::{Problems, Settings};

pub(crate) fn run(config: Option<PathBuf>, output: Output) -> Result<(), Failure> {
    let settings = Settings::load(&layers(config));
    match settings.and_then(|settings| settings.compile_routes().map(|routes| (settings, routes))) {
        Ok((settings, routes)) => {
            let rows: Vec<_> = routes
                .iter()
                .map(|route| {
                    json!({
                        "route": route.name,
                        "source": route.source,
                        "category": route.category,
                        "connection": route.connection,
                        "table": route.kind.table(),
                        "mastery": route.mastery.as_str(),
                        "enabled": route.enabled,
                    })
                })
                .collect();
            let report =
                json!({"valid": true, "environment": settings.environment, "routes": rows});
            output.show(&report, |_| summary(&settings, &rows));
            Ok(())
        }
        Err(Problems(problems)) if output.json => {
            output.show(&json!({"valid": false, "problems": problems}), |_| {
                String::new()
            });
            Err(Failure::Configuration(format!(
                "the configuration has {} problems",
                problems.len()
            )))
        }
        Err(problems) => Err(Failure::Configuration(problems.to_string())),
    }
}

fn summary(settings: &Settings, routes: &[serde_json::Value]) -> String {
    let columns = [
        "route",
        "source",
        "category",
        "connection",
        "table",
        "mastery",
        "enabled",
    ];
    let rows = routes.iter().map(|route| {
        columns
            .iter()
            .map(|name| crate::output::cell(&route[*name]))
            .collect()
    });
    let parts = [
        (
            settings.connections.is_empty(),
            "no [connections.<name>] is configured: no ticket can be made",
        ),
        (
            settings.sources.is_empty(),
            "no [sources.<name>] is configured: nobody can send requests",
        ),
        (
            routes.is_empty(),
            "no [[routes]] is configured: every request would be refused",
        ),
    ];
    let missing: Vec<_> = parts
        .iter()
        .filter(|(absent, _)| *absent)
        .map(|(_, what)| format!("note: {what}\n"))
        .collect();
    format!(
        "The configuration is valid.\n{}\n{}",
        missing.concat(),
        table(&columns, rows)
    )
}
