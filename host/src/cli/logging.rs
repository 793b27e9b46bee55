//! Log lines: on standard error, or where the Azure Functions host takes them for no errors.

use septet::{pipeline::SPANS, telemetry::Telemetry, trigger::azure::Collector};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    fmt::writer::BoxMakeWriter,
    layer::{Layer, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use super::args::{Global, LogFormat};

/// Whose lines they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    /// A command's.
    Command,
    /// Those of a process that works until it is told to stop, and says what it does.
    Server,
    /// The same, started by the Azure Functions host: it takes each line on standard error for an
    /// error, whatever it says.
    Handler,
}

/// Starts logging: warnings, or more with `-v`, or nothing of what libraries say below that.
///
/// What is exported is as much, and at least what the host does.
pub(crate) fn start(global: &Global, out: Out, telemetry: Option<&Telemetry>) {
    let (others, ours) = match global.verbose {
        0 if out != Out::Command => (LevelFilter::ERROR, LevelFilter::INFO),
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
    let writer = match out {
        Out::Handler => BoxMakeWriter::new(std::io::stdout),
        _ => BoxMakeWriter::new(std::io::stderr),
    };
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let collector = (out == Out::Handler).then(|| Collector.with_filter(filter.clone()));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match global.log_format {
        LogFormat::Text => Box::new(lines.with_target(false).with_filter(filter)),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_filter(filter)),
    };
    let mut layers = vec![lines];
    if let Some(collector) = collector {
        layers.push(Box::new(collector));
    }
    let exported = telemetry.map(|telemetry| telemetry.layers(ours.max(LevelFilter::INFO)));
    layers.extend(exported.into_iter().flatten());
    // A second start in one process would be a defect of ours and costs nothing but log lines.
    let _started = tracing_subscriber::registry().with(layers).try_init();
}
