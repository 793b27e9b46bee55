//! Log lines on standard error.

use septet::{pipeline::SPANS, telemetry::Telemetry};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::{Layer, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use super::args::{Global, LogFormat};

/// Starts logging: warnings, or more with `-v`, or nothing of what libraries say below that. A
/// `server` says what it does.
///
/// What is exported is as much, and at least what the host does.
pub(crate) fn start(global: &Global, server: bool, telemetry: Option<&Telemetry>) {
    let (others, ours) = match global.verbose {
        0 if server => (LevelFilter::ERROR, LevelFilter::INFO),
        0 => (LevelFilter::ERROR, LevelFilter::WARN),
        1 => (LevelFilter::WARN, LevelFilter::INFO),
        2 => (LevelFilter::INFO, LevelFilter::DEBUG),
        _ => (LevelFilter::DEBUG, LevelFilter::TRACE),
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("septet", ours)
        // A line says what it needs to: spans are for who exports them.
        .with_target(SPANS, LevelFilter::OFF)
        // The exporter's own reports come with every batch; ours comes once.
        .with_target(
            "opentelemetry",
            match global.verbose {
                0..=2 => LevelFilter::OFF,
                _ => others,
            },
        );
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match global.log_format {
        LogFormat::Text => Box::new(lines.with_target(false).with_filter(filter)),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_filter(filter)),
    };
    let mut layers = vec![lines];
    let exported = telemetry.map(|telemetry| telemetry.layers(ours.max(LevelFilter::INFO)));
    layers.extend(exported.into_iter().flatten());
    // A second start in one process would be a defect of ours and costs nothing but log lines.
    let _started = tracing_subscriber::registry().with(layers).try_init();
}
