//! `migrate`: brings the database to the newest schema, once, before processes start.

use std::path::PathBuf;

use serde_json::json;

use crate::args::Migrate;
use crate::exit::Failure;
use crate::output::Output;
use crate::wiring;

pub(crate) async fn run(
    config: Option<PathBuf>,
    args: &Migrate,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let store = wiring::connect(&settings).await?;
    if args.dry_run {
        let pending = store
            .pending_migrations()
            .await
            .map_err(wiring::database_failure)?;
        output.show(&json!({ "pending": pending }), |_| {
            described("Pending", &pending, "Nothing is pending.")
        });
        return if pending.is_empty() {
            Ok(())
        } else {
            Err(Failure::Unhealthy)
        };
    }
    let applied = store.migrate().await.map_err(wiring::database_failure)?;
    output.show(&json!({ "applied": applied }), |_| {
        described("Applied", &applied, "The schema was up to date.")
    });
    Ok(())
}

fn described(word: &str, names: &[String], nothing: &str) -> String {
    if names.is_empty() {
        return nothing.to_owned();
    }
    let lines: Vec<_> = names.iter().map(|name| format!("{word} {name}")).collect();
    lines.join("\n")
}
