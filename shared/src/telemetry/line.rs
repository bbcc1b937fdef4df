use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use opentelemetry::trace::TraceContextExt as _;
use serde::{Serializer as _, ser::SerializeMap as _};
use serde_json::{Map, Value};
use tracing::{Dispatch, Event, Subscriber, dispatcher::WeakDispatch, field::Visit};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{self, Format, Full, Writer},
        time::{FormatTime as _, SystemTime},
    },
    registry::{LookupSpan, Scope},
};

/// The field that carries the trace id, in both forms of a line.
const TRACE_ID: &str = "trace.id";

/// Finds the trace id of the span an event happened in. The tracing layer keeps it behind the dispatcher, which exists only
/// after the formatters.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanIds(Arc<OnceLock<WeakDispatch>>);

impl SpanIds {
    pub(super) fn read_from(&self, dispatch: &Dispatch) {
        // Called once, for the dispatcher the formatters were built into; a second one would change nothing.
        drop(self.0.set(dispatch.downgrade()));
    }

    /// Asks the registry itself: spans that the log filter hides have ids too.
    fn trace_id(&self, event: &Event<'_>) -> Option<String> {
        let dispatch = self.0.get()?.upgrade()?;
        let current = dispatch.current_span();
        let span = event.parent().or(current.id())?;
        let traced = tracing_opentelemetry::get_otel_context(span, &dispatch)?;
        let span = traced.span().span_context().clone();
        span.is_valid().then(|| span.trace_id().to_string())
    }
}

/// A line for people, with the trace id at its end.
pub(super) struct PrettyLine {
    ids: SpanIds,
    line: Format<Full>,
}

impl PrettyLine {
    pub(super) fn new(ids: SpanIds, colours: bool) -> Self {
        Self {
            ids,
            line: format::format().with_ansi(colours),
        }
    }
}

impl<S, N> FormatEvent<S, N> for PrettyLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.line
            .format_event(context, Writer::new(&mut line), event)?;
        match self.ids.trace_id(event) {
            Some(id) => writeln!(out, "{} {TRACE_ID}={id}", line.trim_end()),
            None => out.write_str(&line),
        }
    }
}

/// One JSON object: time, level, target, message, trace id, then the fields of the event and of the spans around it, the
/// inner ones winning.
pub(super) struct JsonLine {
    ids: SpanIds,
}

impl JsonLine {
    pub(super) fn new(ids: SpanIds) -> Self {
        Self { ids }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let known = span.extensions();
            let written = known
                .get::<FormattedFields<N>>()
                .map_or("", |known| known.fields.as_str());
            if let Ok(Value::Object(written)) = serde_json::from_str(written) {
                fields.extend(written);
            }
            fields.insert("span".to_owned(), span.name().into());
        }
        if let Some(id) = self.ids.trace_id(event) {
            fields.insert(TRACE_ID.to_owned(), id.into());
        }
        event.record(&mut Fields(&mut fields));
        let line = written(event, fields).map_err(|_| fmt::Error)?;
        writeln!(out, "{line}")
    }
}

/// What every line has comes first, then what it happens to have.
fn written(event: &Event<'_>, mut fields: Map<String, Value>) -> anyhow::Result<String> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let head = [
        ("timestamp", Value::from(time)),
        ("level", event.metadata().level().as_str().into()),
        ("target", event.metadata().target().into()),
        ("message", fields.remove("message").unwrap_or_default()),
    ];
    let mut line = Vec::new();
    let mut json = serde_json::Serializer::new(&mut line);
    let mut map = json.serialize_map(None)?;
    for (key, value) in &head {
        map.serialize_entry(key, value)?;
    }
    for (key, value) in fields
        .iter()
        .filter(|(key, _)| head.iter().all(|(known, _)| known != key))
    {
        map.serialize_entry(key, value)?;
    }
    map.end()?;
    Ok(String::from_utf8(line)?)
}

/// Takes the fields of an event.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0
            .insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
