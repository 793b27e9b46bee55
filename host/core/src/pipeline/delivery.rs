//! One delivery of a message, as a span: what it asked for and what came of it.

use tracing::{Span, field};

use super::{
    commit::{Commit, Ending},
    envelope::Asked,
    trace::{Place, SPANS, Traceparent, delivery_span},
    view::Pipeline,
};
use crate::{
    contract::{Blame, Call, Digest},
    store::Received,
};

/// The longest reason that a span is given, in characters.
const MAX_REASON: usize = 400;

/// A message that a worker was given.
pub(super) struct Delivery {
    /// Disabled where nobody looks at spans, and then it costs nothing.
    pub(super) span: Span,
    /// The span's number; none where the message asks for nothing.
    number: Option<u64>,
}

impl Delivery {
    /// The span of a message: below the one that it was sent from.
    pub(super) async fn of(pipeline: &Pipeline, received: &Received) -> Self {
        let queue = received.queue.as_str();
        let span = tracing::info_span!(
            target: SPANS,
            "invocation",
            otel.name = queue,
            otel.kind = "consumer",
            otel.status_description = field::Empty,
            messaging.system = "septet",
            messaging.operation.type = "process",
            messaging.operation.name = "process",
            messaging.destination.name = queue,
            messaging.message.id = received.message.id,
            messaging.message.body.size = received.message.body.len() as u64,
            messaging.message.delivery_attempt = received.dequeue_count,
            faas.trigger = "pubsub",
            septet.run = field::Empty,
            septet.stage = field::Empty,
            septet.unit = field::Empty,
            septet.attempt = field::Empty,
            septet.invocation = field::Empty,
            septet.component = field::Empty,
            septet.model = field::Empty,
            septet.disposition = field::Empty,
            septet.blame = field::Empty,
            septet.cached = field::Empty,
            septet.cached_from = field::Empty,
            septet.seconds = field::Empty,
            septet.peak_memory_bytes = field::Empty,
        );
        let body = &received.message.body;
        let Ok(asked) = Asked::decode(body) else {
            return Self { span, number: None };
        };
        let invocation = asked.invocation();
        let number = delivery_span(&invocation, asked.attempt, received.dequeue_count);
        if !span.is_disabled() {
            let shown = invocation.to_string();
            span.record("septet.run", asked.run.as_str());
            span.record("septet.stage", asked.stage.name());
            span.record("septet.unit", asked.unit);
            span.record("septet.attempt", asked.attempt);
            span.record("septet.invocation", shown.as_str());
            let parent = match Asked::parent(body) {
                Some(parent) => Some(parent),
                // Where a message says nothing, its run does. What fails here fails again where it
                // is told.
                None => pipeline
                    .request(&asked.run)
                    .await
                    .ok()
                    .flatten()
                    .map(|request| request.asked_from(&asked.run)),
            };
            if let Some(parent) = parent {
                let marks = vec![
                    ("septet.run", asked.run),
                    ("septet.stage", asked.stage.name().to_owned()),
                    ("septet.unit", asked.unit.to_string()),
                    ("septet.attempt", asked.attempt.to_string()),
                    ("septet.invocation", shown),
                ];
                place(pipeline, &span, parent, number, marks);
            }
        }
        Self {
            span,
            number: Some(number),
        }
    }

    /// What is called.
    pub(super) fn calls(&self, call: &Call, model: &str) {
        if !self.span.is_disabled() {
            self.span.record("septet.component", shown(&call.component));
            self.span.record("septet.model", model);
        }
    }

    /// The span's number as a commit has it.
    pub(super) fn number(&self) -> Option<String> {
        self.number.map(|number| format!("{number:016x}"))
    }

    /// The same, for what is sent from it.
    pub(super) fn sender(&self) -> u64 {
        self.number.unwrap_or_default()
    }

    /// How it ended, and why where it did not end well.
    pub(super) fn ended(&self, disposition: &str, reason: Option<&str>) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("septet.disposition", disposition);
        if let Some(reason) = reason {
            let reason: String = reason.chars().take(MAX_REASON).collect();
            self.span.record("otel.status_description", reason);
        }
    }

    /// That it ended with a commit.
    pub(super) fn committed(&self, commit: &Commit) {
        if self.span.is_disabled() {
            return;
        }
        let span = &self.span;
        let (disposition, blame) = match &commit.ending {
            Ending::Ok(_) => ("ok", None),
            Ending::Rejected { .. } => ("rejected", None),
            Ending::Failed { blame, .. } => ("failed", Some(blame)),
            Ending::Cancelled { .. } => ("cancelled", None),
        };
        if let Some(blame) = blame {
            span.record("septet.blame", named(*blame));
        }
        span.record("septet.cached", commit.cached.is_some());
        if let Some(from) = &commit.cached {
            span.record("septet.cached_from", from.to_string());
        }
        span.record("septet.seconds", commit.seconds);
        span.record("septet.peak_memory_bytes", commit.peak_memory_bytes);
        self.ended(disposition, commit.reason());
    }
}

/// A message that waits on a queue may have been written by anyone: where it says that it was sent
/// from, is taken as it is and only ever shown.
fn place(
    pipeline: &Pipeline,
    span: &Span,
    parent: Traceparent,
    own: u64,
    marks: Vec<(&'static str, String)>,
) {
    pipeline.traces.place(span, Place { own, parent, marks });
}

fn shown(digest: &Digest) -> String {
    digest.to_string()
}

/// As it is written in a record.
pub(super) const fn named(blame: Blame) -> &'static str {
    match blame {
        Blame::Guest => "guest",
        Blame::Host => "host",
    }
}
