//! The log lines of an invocation, which the Functions host shows with it.
//!
//! All lines go to the log of the process as well: what is told in an answer is lost when the
//! invocation fails. Here is what is kept of them meanwhile.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Span, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer},
    registry::LookupSpan,
};

use crate::capability::clean;

/// Lines of an invocation that are kept, and bytes of each: an answer is no log file.
const MOST: usize = 100;
const LONGEST: u64 = 1000;

/// The lines of one invocation.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    invocation: String,
    lines: Vec<String>,
    left_out: u64,
}

impl Lines {
    /// Collects what is logged within `span` from now on.
    pub(super) fn of(span: &Span, invocation: &str) -> Self {
        let kept = Kept {
            invocation: invocation.to_owned(),
            lines: Vec::new(),
            left_out: 0,
        };
        let lines = Self(Arc::new(Mutex::new(kept)));
        span.with_subscriber(|(id, dispatch)| {
            let span = dispatch
                .downcast_ref::<Registry>()
                .and_then(|all| all.span(id));
            if let Some(span) = span {
                span.extensions_mut().replace(lines.clone());
            }
        });
        lines
    }

    /// Adds a line.
    fn push(&self, line: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.lines.len() >= MOST {
            kept.left_out += 1;
            return;
        }
        let line = format!("[{}] {}", kept.invocation, clean(line, LONGEST));
        kept.lines.push(line);
    }

    /// The lines so far.
    pub(super) fn take(&self) -> Vec<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut kept.lines);
        if kept.left_out > 0 {
            let (invocation, more) = (&kept.invocation, kept.left_out);
            lines.push(format!(
                "[{invocation}] and {more} more lines in the log of the process"
            ));
        }
        lines
    }
}

/// Gives each invocation the log lines that are written within its span. To be added to the
/// process's subscriber, whose base is a `Registry`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collector;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(lines) = span.extensions().get::<Lines>() {
                let mut line = Line(event.metadata().level().to_string());
                event.record(&mut line);
                lines.push(&line.0);
                return;
            }
        }
    }
}

/// An event as a line: level, message, and what else it has.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[tokio::test]
    async fn an_invocation_has_its_own_lines() {
        let subscriber = tracing_subscriber::registry().with(Collector);
        let _guard = tracing::subscriber::set_default(subscriber);
        let (one, two) = (tracing::info_span!("one"), tracing::info_span!("two"));
        let (first, second) = (Lines::of(&one, "1"), Lines::of(&two, "2"));
        async {
            tracing::info!(run = "r", "begun\nhere");
            let inner = tracing::info_span!("inner");
            async { tracing::warn!("within") }.instrument(inner).await;
        }
        .instrument(one)
        .await;
        tracing::info!("of nobody");
        async {
            for number in 0..150 {
                tracing::info!("{number}");
            }
        }
        .instrument(two)
        .await;
        let lines = first.take();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("[1] INFO begun") && lines[0].ends_with("run=\"r\""));
        assert!(!lines[0].contains('\n'));
        assert_eq!(lines[1], "[1] WARN within");
        let lines = second.take();
        assert_eq!(lines.len(), MOST + 1);
        assert!(lines[MOST].ends_with("and 50 more lines in the log of the process"));
    }
}
