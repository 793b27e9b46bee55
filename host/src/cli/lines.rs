//! What a server did, a log line each.

use std::time::Duration;

use septet::pipeline::{Commit, Invocation, Observer};

/// Writes log lines.
pub(crate) struct Lines;

impl Observer for Lines {
    fn started(&self, invocation: &Invocation, attempt: u32) {
        let Invocation {
            run, stage, unit, ..
        } = invocation;
        tracing::debug!(run, %stage, unit, attempt, "started");
    }

    fn finished(&self, commit: &Commit) {
        let Invocation {
            run, stage, unit, ..
        } = &commit.invocation;
        let (seconds, cached) = (commit.seconds, commit.cached.is_some());
        match commit.reason() {
            None => tracing::info!(run, %stage, unit, seconds, cached, "done"),
            Some(reason) => {
                let reason = super::output::harmless(reason);
                tracing::warn!(run, %stage, unit, seconds, "came to nothing: {reason}");
            }
        }
    }

    fn retried(&self, invocation: &Invocation, attempt: u32, delay: Duration, reason: &str) {
        let Invocation {
            run, stage, unit, ..
        } = invocation;
        let reason = super::output::harmless(reason);
        let delay = humantime::format_duration(delay);
        tracing::warn!(run, %stage, unit, attempt, "tried again in {delay}: {reason}");
    }

    fn refused(&self, queue: &str, reason: &str) {
        let reason = super::output::harmless(reason);
        tracing::warn!(queue, "a message went to the poison queue: {reason}");
    }
}
