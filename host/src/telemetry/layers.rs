//! What of `tracing` is exported: the pipeline's spans, and the host's own lines.

use opentelemetry::{
    Context, InstrumentationScope, Key,
    logs::{AnyValue, LogRecord as _},
    trace::TracerProvider as _,
};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider},
    trace::SdkTracerProvider,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets, filter_fn},
};

use super::place::Marks;
use crate::pipeline::SPANS;

/// Layers for the registry, each with a filter of its own: so others see no span of theirs.
pub type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// Spans of the pipeline and calls from outside. Lines are no events of them: they are logs.
pub(super) fn spans(provider: &SdkTracerProvider) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("septet"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS);
    Box::new(layer.with_filter(ours))
}

/// The host's own lines and the components' from `level` up. What libraries say is left out: they
/// talk of addresses and headers, and of the export itself.
pub(super) fn logs(
    provider: &SdkLoggerProvider,
    level: LevelFilter,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let ours = Targets::new().with_target("septet", level);
    Box::new(OpenTelemetryTracingBridge::new(provider).with_filter(ours))
}

/// Marks each line with the invocation that it was logged in.
#[derive(Debug)]
pub(super) struct Marking;

impl LogProcessor for Marking {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        let marks = Context::map_current(|context| context.get::<Marks>().cloned());
        for (name, value) in marks.iter().flat_map(|Marks(marks)| marks.iter()) {
            record.add_attribute(Key::new(*name), AnyValue::from(value.clone()));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}
