//! Logs, traces and metrics.
//!
//! Every span has W3C trace ids, whether or not they are exported: the id made at intake is stored with the job, carried by
//! its doorbell, sent to ServiceNow and written into every log line (`trace.id`), so that one id finds the whole story.

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::{LevelFilter, dynamic_filter_fn},
    fmt::{self, MakeWriter, format::JsonFields},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

mod context;
mod line;
mod metrics;
pub mod names;
mod otlp;

use std::io::IsTerminal as _;

pub use context::{continue_trace, current_traceparent};
pub use metrics::Metrics;

use crate::config::{LogFormat, TelemetrySettings};
use line::{JsonLine, PrettyLine, SpanIds};

/// The name under which traces are exported.
const SERVICE: &str = "ticketbridge";

/// What must be finished before the process ends.
#[must_use = "traces that were not sent are lost without `finish`"]
#[derive(Debug)]
pub struct Guard {
    provider: SdkTracerProvider,
}

impl Guard {
    /// Sends the traces that were not sent yet; takes at most a few seconds.
    pub async fn finish(self) {
        let flushed = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = flushed {
            tracing::debug!(%error, "the last traces could not be sent");
        }
    }
}

/// Starts logging to standard error and, when an endpoint is set, exporting traces. Once per process; needs a running tokio
/// runtime when an endpoint is set.
pub fn init(settings: &TelemetrySettings) -> anyhow::Result<Guard> {
    let terminal = std::io::stderr().is_terminal();
    let (dispatch, provider) = build(settings, terminal, std::io::stderr)?;
    dispatch.try_init().context("logging was started twice")?;
    Ok(Guard { provider })
}

fn build<W>(
    settings: &TelemetrySettings,
    terminal: bool,
    writer: W,
) -> anyhow::Result<(Dispatch, SdkTracerProvider)>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let exporting = !settings.otlp_endpoint.is_empty();
    let provider = otlp::provider(&settings.otlp_endpoint)?;
    // Spans are kept whatever the log filter says: ids must not depend on how much is logged.
    // Dynamic, so that both filters are asked for each span: a cached verdict would leave in place what they said of the event
    // before, and a driver that asks whether a statement would be logged, and then logs nothing, would hide the next span.
    let wanted = dynamic_filter_fn(move |what: &Metadata<'_>, _| exporting || what.is_span())
        .with_max_level_hint(LevelFilter::INFO);
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        // Contexts are taken from spans, nobody asks for the active one; the rest is shown by exported spans alone. Each would be
        // paid with every poll.
        .with_context_activation(false)
        .with_tracked_inactivity(exporting)
        .with_location(exporting)
        .with_threads(exporting)
        .with_filter(wanted);
    let filter =
        EnvFilter::try_new(&settings.filter).context("telemetry.filter is not a tracing filter")?;
    let ids = SpanIds::default();
    let lines = fmt::layer().with_writer(writer);
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !terminal,
    };
    let lines = if json {
        lines
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine::new(ids.clone()))
            .with_filter(filter)
            .boxed()
    } else {
        lines
            .with_ansi(terminal)
            .event_format(PrettyLine::new(ids.clone(), terminal))
            .with_filter(filter)
            .boxed()
    };
    let dispatch = Dispatch::new(Registry::default().with(traces).with(lines));
    ids.read_from(&dispatch);
    Ok((dispatch, provider))
}

#[cfg(test)]
mod tests;
