//! Log lines: on standard error, or where the Azure Functions host takes them for no errors.

use septet::trigger::azure::Collector;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    fmt::writer::BoxMakeWriter,
    layer::{Layer as _, SubscriberExt as _},
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
pub(crate) fn start(global: &Global, out: Out) {
    let (others, ours) = match global.verbose {
        0 if out != Out::Command => (LevelFilter::ERROR, LevelFilter::INFO),
        0 => (LevelFilter::ERROR, LevelFilter::WARN),
        1 => (LevelFilter::WARN, LevelFilter::INFO),
        2 => (LevelFilter::INFO, LevelFilter::DEBUG),
        _ => (LevelFilter::DEBUG, LevelFilter::TRACE),
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("septet", ours);
    let writer = match out {
        Out::Handler => BoxMakeWriter::new(std::io::stdout),
        _ => BoxMakeWriter::new(std::io::stderr),
    };
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let collector = (out == Out::Handler).then(|| Collector.with_filter(filter.clone()));
    let registry = tracing_subscriber::registry().with(collector);
    // A second start in one process would be a defect of ours and costs nothing but log lines.
    let _started = match global.log_format {
        LogFormat::Text => registry
            .with(lines.with_target(false).with_filter(filter))
            .try_init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_filter(filter))
            .try_init(),
    };
}
