use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// The `traceparent` of the current span: what is stored with a job and sent with a call. `None` outside of any span.
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let current = context.span().span_context().clone();
    current.is_valid().then(|| written(&current))
}

/// Makes `span`, which must not have been entered yet, part of the trace that a caller, a doorbell or a stored job brought.
/// Without one, or with one that cannot be read, the span stays where it is, at the head of a trace of its own if need be.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else {
        return;
    };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if !context.span().span_context().is_valid() {
        tracing::debug!("a traceparent cannot be read; a new trace is begun");
        return;
    }
    if let Err(error) = span.set_parent(context) {
        tracing::trace!(%error, "the span is not traced");
    }
}

fn written(span: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags().to_u8()
    )
}
