//! Progress on a terminal: a bar for each call under way, a line for each that is done.
//!
//! It draws on standard error and only where that is a terminal; elsewhere it says nothing.

use std::{
    collections::HashMap,
    io::IsTerminal as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use septet::pipeline::{Commit, Invocation, Observer};

/// Watches a run and draws it.
pub(crate) struct Drawing {
    bars: MultiProgress,
    running: Mutex<HashMap<Invocation, ProgressBar>>,
}

impl Drawing {
    /// A drawing on standard error.
    pub(crate) fn new() -> Arc<Self> {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        Arc::new(Self {
            bars,
            running: Mutex::default(),
        })
    }

    /// A spinner that is there as long as the value, if that is long enough to be seen.
    pub(crate) fn waiting(&self, what: &str) -> Waiting {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {msg} {elapsed}"));
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Waiting(bar)
    }

    /// Takes all bars away.
    pub(crate) fn finish(&self) {
        for (_, bar) in self.running().drain() {
            bar.finish_and_clear();
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Invocation, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A spinner that goes when it is dropped.
pub(crate) struct Waiting(ProgressBar);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Observer for Drawing {
    fn started(&self, invocation: &Invocation, attempt: u32) {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {prefix:<11} {msg} {elapsed}"));
        bar.set_prefix(invocation.stage.name());
        if attempt > 1 {
            bar.set_message(format!("attempt {attempt}"));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        self.running().insert(invocation.clone(), bar);
    }

    fn progress(&self, invocation: &Invocation, done: u64, total: Option<u64>) {
        let running = self.running();
        let Some(bar) = running.get(invocation) else {
            return;
        };
        if let Some(total) = total {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_style(style(
                    "  {spinner} {prefix:<11} {bar:24} {pos}/{len} {elapsed}",
                ));
            }
        } else {
            bar.set_message(format!("{done} done"));
        }
        bar.set_position(done);
    }

    fn finished(&self, commit: &Commit) {
        let stage = commit.invocation.stage.name();
        if let Some(bar) = self.running().remove(&commit.invocation) {
            bar.finish_and_clear();
        }
        let how = match (&commit.cached, commit.outcome()) {
            (_, None) => "came to nothing".to_owned(),
            (Some(_), _) => "cached".to_owned(),
            (None, _) => format!("{:.2} s", commit.seconds),
        };
        // Where nothing is drawn, this says nothing either.
        let _written = self.bars.println(format!("  ✓ {stage:<11} {how}"));
    }

    fn retried(&self, invocation: &Invocation, attempt: u32, delay: Duration, reason: &str) {
        if let Some(bar) = self.running().remove(invocation) {
            bar.finish_and_clear();
        }
        let stage = invocation.stage;
        tracing::info!(
            "{stage}: attempt {attempt} follows in {:.1} s: {reason}",
            delay.as_secs_f64()
        );
    }

    fn mirroring(&self, copies: usize) {
        let plural = if copies == 1 { "y" } else { "ies" };
        let line = format!("  … waiting for {copies} cop{plural} of calls that a shadow is given");
        // Where nothing is drawn, this says nothing either.
        let _written = self.bars.println(line);
    }

    fn refused(&self, queue: &str, reason: &str) {
        tracing::warn!("queue {queue}: a message was set aside: {reason}");
    }
}

/// The style of a template; the templates are all in this file and valid.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("━━─")
}
