//! Lines and progress of a call, bounded in length and count.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Linker;

use super::{
    Granted, View, Viewed,
    bindings::septet::capability::log::{self, Host, Level},
    clean,
};
use crate::{
    contract::Origin,
    stage::{Capability, Limits},
};

/// Where a component's lines go; a clone writes to the same one.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Mutex<Lines>>);

struct Lines {
    component: String,
    origin: Origin,
    written: u64,
    dropped: u64,
    longest: u64,
    left: u64,
    bytes_left: u64,
    /// The end of what was written to standard error: where a panic leaves its message.
    last_words: String,
}

/// Kept of the last words.
const LAST_WORDS: usize = 400;

impl Sink {
    /// A sink for the lines of `component`: a stage's name, or a transform's digest.
    pub(crate) fn new(component: String, origin: Origin, limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            component,
            origin,
            written: 0,
            dropped: 0,
            longest: limits.log_line_bytes,
            left: limits.log_lines,
            bytes_left: limits.log_bytes,
            last_words: String::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one line, or drops it when the call has written its share.
    pub(crate) fn write(&self, level: Level, message: &str) {
        self.lock().write(level, message);
    }

    /// Remembers the end of standard error.
    pub(crate) fn remember(&self, text: &str) {
        let mut lines = self.lock();
        // Rust's advice about backtraces says nothing to who can't set that variable.
        if text.starts_with("note: run with") || text.trim().is_empty() {
            return;
        }
        let mut words = std::mem::take(&mut lines.last_words);
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&clean(text, LAST_WORDS as u64));
        let start = words.len().saturating_sub(LAST_WORDS);
        let start = (start..words.len()).find(|at| words.is_char_boundary(*at));
        lines.last_words = words.split_off(start.unwrap_or_default());
    }

    /// The end of what the component wrote to standard error.
    pub(crate) fn last_words(&self) -> String {
        self.lock().last_words.clone()
    }

    /// Begins another call of the same instance.
    pub(crate) fn renew(&self, limits: &Limits) {
        let mut lines = self.lock();
        lines.left = limits.log_lines;
        lines.bytes_left = limits.log_bytes;
        lines.dropped = 0;
        lines.last_words.clear();
    }

    /// Forgets the end of standard error: what one batch made a component say is not the next one's.
    pub(crate) fn forget(&self) {
        self.lock().last_words.clear();
    }

    /// Lines written and lines dropped.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let lines = self.lock();
        (lines.written, lines.dropped)
    }
}

impl Lines {
    fn write(&mut self, level: Level, message: &str) {
        let message = clean(message, self.longest);
        let bytes = message.len() as u64;
        if self.left == 0 || bytes > self.bytes_left {
            // Of one that may say nothing at all, nothing is said either.
            if self.dropped == 0 && self.written > 0 {
                self.emit(Level::Warn, "further log lines are dropped");
            }
            self.dropped += 1;
            return;
        }
        self.left -= 1;
        self.bytes_left -= bytes;
        self.written += 1;
        self.emit(level, &message);
    }

    fn emit(&self, level: Level, message: &str) {
        let Self {
            component, origin, ..
        } = self;
        let Origin { run, unit, attempt } = origin;
        macro_rules! event {
            ($level:ident) => {
                tracing::event!(
                    target: "septet::component",
                    tracing::Level::$level,
                    component, run, unit, attempt, "{message}"
                )
            };
        }
        match level {
            Level::Trace => event!(TRACE),
            Level::Debug => event!(DEBUG),
            Level::Info => event!(INFO),
            Level::Warn => event!(WARN),
            Level::Error => event!(ERROR),
        }
    }
}

impl Host for View<'_> {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let _busy = self.context.enter(Capability::Log)?;
        self.context.log.write(level, &message);
        Ok(())
    }

    async fn progress(&mut self, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        let _busy = self.context.enter(Capability::Log)?;
        self.context.meter.pulse().control().report(done, total);
        Ok(())
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    log::add_to_linker::<T, Granted>(linker, T::view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_length_count_and_bytes() {
        let limits = Limits {
            log_lines: 2,
            log_line_bytes: 10,
            log_bytes: 100,
            ..Limits::default()
        };
        let sink = Sink::new("train".to_owned(), Origin::default(), &limits);
        for _ in 0..5 {
            sink.write(Level::Trace, &"x".repeat(50));
        }
        assert_eq!(sink.counts(), (2, 3));
        let few = Limits {
            log_bytes: 15,
            ..limits
        };
        let sink = Sink::new("train".to_owned(), Origin::default(), &few);
        sink.write(Level::Trace, "0123456789");
        sink.write(Level::Trace, "0123456789");
        assert_eq!(sink.counts(), (1, 1));
    }

    #[test]
    fn the_last_words_are_the_end() {
        let limits = Limits::default();
        let sink = Sink::new("train".to_owned(), Origin::default(), &limits);
        sink.remember(&"ä".repeat(1000));
        sink.remember("panicked at src/lib.rs:1:1:");
        sink.remember("index out of bounds");
        sink.remember("note: run with `RUST_BACKTRACE=1`");
        let words = sink.last_words();
        assert!(words.len() <= LAST_WORDS);
        assert!(words.ends_with("panicked at src/lib.rs:1:1: index out of bounds"));
    }
}
