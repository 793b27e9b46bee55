//! Where a span stands: its parent is another process's, and its number is known before.

use std::{cell::Cell, sync::Arc};

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::pipeline::{Place, SPANS, Traceparent, Traces};

thread_local! {
    /// The numbers of the span that is begun next on this thread: its own, and its trace's.
    static NEXT: Cell<Option<(SpanId, TraceId)>> = const { Cell::new(None) };
}

/// Gives a span the numbers that it was placed with, and all others random ones.
#[derive(Debug, Default)]
pub(super) struct Numbers(RandomIdGenerator);

impl IdGenerator for Numbers {
    fn new_trace_id(&self) -> TraceId {
        let next = NEXT.get();
        next.map_or_else(|| self.0.new_trace_id(), |(_, trace)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        let next = NEXT.get();
        next.map_or_else(|| self.0.new_span_id(), |(span, _)| span)
    }
}

/// What every line is marked with that is logged within a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(pub(super) Arc<Vec<(&'static str, String)>>);

impl Marks {
    /// Those of the context and further ones, which win.
    fn with(context: &Context, further: Vec<(&'static str, String)>) -> Self {
        let mut marks = further;
        if let Some(Self(there)) = context.get::<Self>() {
            let before = there.iter().filter(|(name, _)| {
                let again = marks.iter().any(|(own, _)| own == name);
                !again
            });
            let before: Vec<_> = before.cloned().collect();
            marks.extend(before);
        }
        Self(Arc::new(marks))
    }
}

/// Tells OpenTelemetry where the pipeline's spans stand.
pub(super) struct Placing;

impl Traces for Placing {
    fn place(&self, span: &Span, place: Place) {
        if span.is_disabled() {
            return;
        }
        let Place { own, parent, marks } = place;
        // Whoever handed the message over, as a Functions host does, has a trace of its own.
        let around = Context::current();
        let caller = around.span().span_context().clone();
        let own = (SpanId::from(own), TraceId::from(parent.trace));
        begin(span, Some(own), &below(parent), Marks::with(&around, marks));
        if caller.is_valid() {
            span.add_link(caller);
        }
    }
}

/// A context in which spans stand below another process's; where that has no number, below none.
fn below(parent: Traceparent) -> Context {
    let flags = TraceFlags::default().with_sampled(parent.sampled);
    let (trace, span) = (TraceId::from(parent.trace), SpanId::from(parent.span));
    let parent = SpanContext::new(trace, span, flags, true, TraceState::default());
    if parent.is_valid() {
        Context::new().with_remote_span_context(parent)
    } else {
        Context::new()
    }
}

fn begin(span: &Span, own: Option<(SpanId, TraceId)>, parent: &Context, marks: Marks) {
    // It fails where there is no layer for spans: then there is nothing to place.
    if span.set_parent(parent.with_value(marks)).is_err() {
        return;
    }
    NEXT.set(own);
    // Asking for the context begins the span, with the numbers that are set now.
    let _begun = span.context();
    NEXT.set(None);
}

/// A call that came from outside.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is called, as the function's name.
    pub name: &'a str,
    /// As `faas.trigger` has it: `http`, `pubsub`, `timer`, `datasource` or `other`.
    pub trigger: &'a str,
    /// The caller's number of the call: spans and lines are marked with it.
    pub invocation: Option<&'a str>,
    /// The caller's span; what is no `traceparent` is left out.
    pub traceparent: Option<&'a str>,
}

/// The span of a call, below its caller's. Spans of invocations that are begun within it are in their
/// run's trace, and are linked to this one. It is disabled where nothing is exported.
pub fn continued(call: &Call<'_>) -> Span {
    let span = tracing::info_span!(
        target: SPANS,
        "call",
        otel.name = call.name,
        otel.kind = "server",
        otel.status_description = field::Empty,
        faas.name = call.name,
        faas.trigger = call.trigger,
        faas.invocation_id = call.invocation,
    );
    if !span.is_disabled() {
        let parent = call.traceparent.and_then(Traceparent::parse);
        let parent = parent.map_or_else(Context::new, below);
        let invocation = call
            .invocation
            .map(|id| ("faas.invocation_id", id.to_owned()));
        let marks = Marks::with(&Context::new(), invocation.into_iter().collect());
        begin(&span, None, &parent, marks);
    }
    span
}

/// Where a call's span stands, for what is begun by it; none where nothing is exported.
pub fn stands(span: &Span) -> Option<Traceparent> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| Traceparent {
        trace: u128::from_be_bytes(own.trace_id().to_bytes()),
        span: u64::from_be_bytes(own.span_id().to_bytes()),
        sampled: own.is_sampled(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_or_random() {
        let numbers = Numbers::default();
        assert_ne!(numbers.new_span_id(), numbers.new_span_id());
        NEXT.set(Some((SpanId::from(7), TraceId::from(8))));
        assert_eq!(numbers.new_span_id(), SpanId::from(7));
        assert_eq!(numbers.new_trace_id(), TraceId::from(8));
        NEXT.set(None);
    }

    #[test]
    fn later_marks_win() {
        let outer = Marks::with(&Context::new(), vec![("a", "1".into()), ("b", "2".into())]);
        let context = Context::new().with_value(outer);
        let Marks(inner) = Marks::with(&context, vec![("b", "3".into())]);
        assert_eq!(*inner, [("b", "3".to_owned()), ("a", "1".to_owned())]);
    }

    #[test]
    fn without_a_layer_a_call_is_nothing() {
        let span = continued(&Call {
            name: "train",
            trigger: "pubsub",
            invocation: None,
            traceparent: Some("rubbish"),
        });
        assert!(span.is_disabled());
    }
}
