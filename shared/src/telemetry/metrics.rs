use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::names;

/// Upper bounds of histogram buckets, in seconds: from a local statement to the longest transaction of an instance.
const BUCKETS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 70.0,
];

/// How often histograms are folded, so that they do not grow while nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Metrics> = OnceLock::new();

/// The metrics of this process.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Takes up everything that is counted from now on. Later calls in the same process give the same metrics.
    pub fn install() -> anyhow::Result<Self> {
        if let Some(metrics) = INSTALLED.get() {
            return Ok(metrics.clone());
        }
        let recorder = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .build_recorder();
        let metrics = Self(recorder.handle());
        match (::metrics::set_global_recorder(recorder), INSTALLED.get()) {
            (Ok(()), _) => names::describe(),
            // Another thread was faster.
            (Err(_), Some(installed)) => return Ok(installed.clone()),
            (Err(error), None) => {
                return Err(error).context("metrics are already recorded by somebody else");
            }
        }
        Ok(INSTALLED.get_or_init(|| metrics).clone())
    }

    /// Prometheus text, as served at `/metrics`.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was recorded, until the stop. To be supervised.
    pub async fn keep(self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            self.0.run_upkeep();
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(UPKEEP) => {}
            }
        }
        Ok(())
    }
}
