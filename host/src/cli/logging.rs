//! Log lines on standard error.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::{Layer as _, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use super::args::{Global, LogFormat};

/// Starts logging: warnings, or more with `-v`, or nothing of what libraries say below that. A
/// `server` says what it does.
pub(crate) fn start(global: &Global, server: bool) {
    let (others, ours) = match global.verbose {
        0 if server => (LevelFilter::ERROR, LevelFilter::INFO),
        0 => (LevelFilter::ERROR, LevelFilter::WARN),
        1 => (LevelFilter::WARN, LevelFilter::INFO),
        2 => (LevelFilter::INFO, LevelFilter::DEBUG),
        _ => (LevelFilter::DEBUG, LevelFilter::TRACE),
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("septet", ours);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry();
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
