//! What the database bears at all: single rows, each committed durably, by `pgbench`.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::databases::server_url;

/// Connections, as many as the bridge would commit over at a time.
const CLIENTS: &str = "8";

/// Commits of one row a second, for five seconds.
pub(super) fn commits_per_second() -> anyhow::Result<f64> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let script = folder.path().join("commit.sql");
    std::fs::write(&script, "INSERT INTO bench_floor (word) VALUES ('one');\n")
        .context("writing the script of pgbench")?;
    let url = server_url();
    let psql = |statement: &str| {
        let done = Command::new("psql")
            .args([url.as_str(), "-q", "-c", statement])
            .status()
            .context("starting psql")?;
        ensure!(done.success(), "psql: {statement}");
        anyhow::Ok(())
    };
    psql("CREATE TABLE bench_floor (id bigserial PRIMARY KEY, word text)")?;
    let output = Command::new("pgbench")
        .args([
            "-n", "-T", "5", "-c", CLIENTS, "-j", "1", "-M", "prepared", "-f",
        ])
        .arg(&script)
        .arg(&url)
        .output()
        .context("starting pgbench")?;
    psql("DROP TABLE bench_floor")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| {
        format!(
            "pgbench says no rate: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
