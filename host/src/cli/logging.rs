//! Log lines on standard error.

use tracing_subscriber::{EnvFilter, fmt};

use super::args::{Global, LogFormat};

/// Starts logging: warnings, or more with `-v`, or nothing of what libraries say below that.
pub(crate) fn start(global: &Global) {
    let filter = match global.verbose {
        0 => "error,septet=warn",
        1 => "warn,septet=info",
        2 => "info,septet=debug",
        _ => "debug,septet=trace",
    };
    let base = fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr);
    // A second start in one process would be a defect of ours and costs nothing but log lines.
    let _started = match global.log_format {
        LogFormat::Text => base.with_target(false).with_ansi(false).try_init(),
        LogFormat::Json => base.json().flatten_event(true).try_init(),
    };
}
