//! What a person at a terminal sees while the demo runs; without a terminal, nothing.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use shared::process::Process;
use tokio_util::sync::CancellationToken;

use super::stage::{OPERATOR, Stage};
use super::traffic::Traffic;
use crate::output::{cell, coloured, mood_of_state, table};

const BEAT: Duration = Duration::from_millis(400);
/// Newest requests on screen.
const ROWS: usize = 14;

/// The live picture.
pub(super) struct View {
    bar: ProgressBar,
}

impl View {
    /// Whether anybody sees it.
    pub(super) fn is_seen(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Wipes the picture: the summary follows.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Starts drawing as a task of the process.
pub(super) fn start(stage: &Arc<Stage>, traffic: &Arc<Traffic>, process: &mut Process) -> View {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is constant"));
    if !bar.is_hidden() {
        let draw = run(
            Arc::clone(stage),
            Arc::clone(traffic),
            bar.clone(),
            process.stop_token(),
        );
        process.supervise("view", draw);
    }
    View { bar }
}

async fn run(
    stage: Arc<Stage>,
    traffic: Arc<Traffic>,
    bar: ProgressBar,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        let query = [("limit", ROWS.to_string())];
        let page = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            page = stage.api.get("/v1/requests", &query) => page,
        };
        if let Ok(page) = page {
            bar.set_message(picture(&stage, &traffic, &page));
        }
    }
}

fn picture(stage: &Stage, traffic: &Traffic, page: &Value) -> String {
    let of = traffic
        .limit()
        .map(|limit| format!(" of {limit}"))
        .unwrap_or_default();
    let rows = page["items"].as_array().into_iter().flatten().map(|it| {
        let word = cell(&it["state"]);
        vec![
            cell(&it["external_id"]),
            coloured(&word, mood_of_state(&word)),
            cell(&it["ticket"]["number"]),
            cell(&it["item"]),
            cell(&it["requested_for"]),
            cell(&it["reason"]),
        ]
    });
    format!(
        "TicketBridge demo: {}{of} requests sent\n\n{}\n\n{}",
        traffic.sent(),
        table(
            &["request", "state", "ticket", "item", "for", "reason"],
            rows
        ),
        places(stage),
    )
}

/// Where to look.
pub(super) fn places(stage: &Stage) -> String {
    let (bridge, instance) = (&stage.url, stage.simulator.base_url());
    format!(
        "Console    {bridge}console (sign in as {OPERATOR} with {})\n\
         Bridge     {bridge}v1/openapi.json, {bridge}metrics, {bridge}readyz\n\
         ServiceNow {instance}/_sim/log (every call), {instance}/_sim/state (every row)\n\
         Ctrl-C stops it.",
        stage.password.expose_secret()
    )
}
