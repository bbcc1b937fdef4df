//! What the upstream and the network bear at all: `wrk`, with the body of a create.

use std::process::Command;

use anyhow::{Context as _, ensure};

use super::upstream::{PATH, Upstream};

const SCRIPT: &str = r#"wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"sys_id":"0123456789abcdef0123456789abcdef","short_description":"Ledger: read access for fern.example","correlation_id":"0123","correlation_display":"TicketBridge"}'
"#;

/// Creates a second over so many connections, for five seconds.
pub(super) fn requests_per_second(upstream: &Upstream, connections: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("create.lua");
    std::fs::write(&script, SCRIPT)?;
    let output = Command::new("wrk")
        .args(["-t", "1", "-d", "5s", "-c", &connections.to_string(), "-s"])
        .arg(&script)
        .arg(format!("{}{PATH}", upstream.url()))
        .output()
        .context("starting wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        !text.contains("Non-2xx"),
        "the upstream refused creates: {text}"
    );
    let rate = text.lines().find_map(|line| {
        line.trim()
            .strip_prefix("Requests/sec:")?
            .trim()
            .parse()
            .ok()
    });
    rate.with_context(|| format!("wrk says no rate: {text}"))
}
