//! Where the work of a run stands in a trace: <https://www.w3.org/TR/trace-context/>.
//!
//! A run is one trace, whoever works on it. The trace is the request's own, or else the run's identifier,
//! which is as long as a trace's. Within it the run is a span, and each delivery of a message that asks for an
//! invocation is one: their ids are digests of what they are, so that nobody has to be told them. A
//! commit says which span made it, and a message names the span that sent it as its parent: the commit's
//! that made the invocation due, the attempt's before, or the run's. So whoever sends a message
//! again, also after a crash and from another process, names the same one.
//!
//! What becomes of the spans is somebody else's: here they are those of `tracing`, and `Traces` is told
//! where each of them stands.

use std::{fmt, sync::Arc};

use crate::contract::Digest;

use super::invocation::Invocation;

/// The target of all spans of the pipeline. Nothing else has it, so that they can be told from
/// others.
pub const SPANS: &str = "septet::span";

/// A span in a trace, as the header and the attribute `traceparent` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace; never 0.
    pub trace: u128,
    /// The span; 0 where only the trace is known.
    pub span: u64,
    /// Whether who began the trace records it.
    pub sampled: bool,
}

impl Traceparent {
    /// Reads a header; none where it is no such thing, as the standard asks.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let hexadecimal = |text: &str, length: usize| {
            let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            text.len() == length && text.bytes().all(lower)
        };
        let flags = parts.next()?;
        // A later version may have more parts.
        let fits = text.len() <= 128
            && hexadecimal(version, 2)
            && version != "ff"
            && (version != "00" || parts.next().is_none())
            && hexadecimal(trace, 32)
            && hexadecimal(span, 16)
            && hexadecimal(flags, 2);
        let read = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (fits && read.trace != 0 && read.span != 0).then_some(read)
    }

    /// Another span of the same trace.
    #[must_use]
    pub const fn at(self, span: u64) -> Self {
        Self { span, ..self }
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, .. } = self;
        write!(f, "00-{trace:032x}-{span:016x}-0{}", u8::from(self.sampled))
    }
}

/// The trace of a `traceparent`; none where it is no such thing.
pub fn trace_of(traceparent: &str) -> Option<&str> {
    Traceparent::parse(traceparent)?;
    traceparent.get(3..35)
}

/// The span of a run.
pub(super) fn run_span(run: &str) -> u64 {
    span(run)
}

/// The span of one delivery of the message that asks for an attempt of an invocation.
pub(super) fn delivery_span(invocation: &Invocation, attempt: u32, delivery: u32) -> u64 {
    span(&format!("{invocation}/{attempt}/{delivery}"))
}

/// No span has the id 0.
fn span(what: &str) -> u64 {
    let digest = Digest::of(what.as_bytes()).to_string();
    let first = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(first, 16).unwrap_or_default().max(1)
}

/// Where a span stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its own id.
    pub own: u64,
    /// Its parent, which is mostly another process's; the span is 0 where it has none.
    pub parent: Traceparent,
    /// What every line is marked with that is logged within it.
    pub marks: Vec<(&'static str, String)>,
}

/// Who makes something of the spans.
pub trait Traces: Send + Sync {
    /// Tells where a span stands, before anything is done in it.
    fn place(&self, span: &tracing::Span, place: Place);
}

/// Makes nothing of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untraced;

impl Traces for Untraced {
    fn place(&self, _span: &tracing::Span, _place: Place) {}
}

impl Untraced {
    /// For those who have no other.
    pub(super) fn shared() -> Arc<dyn Traces> {
        Arc::new(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Stage;

    #[test]
    fn a_traceparent_is_read_as_the_standard_has_it() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = Traceparent::parse(good).unwrap();
        assert_eq!(read.to_string(), good);
        assert_eq!(trace_of(good), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let unsampled = Traceparent::parse(&good.replace("-01", "-00")).unwrap();
        assert!(read.sampled && !unsampled.sampled);
        // A later version may say more.
        let later = format!("{}-more", good.replacen("00", "01", 1));
        assert_eq!(Traceparent::parse(&later), Some(read));
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replace("4bf9", "zzzz"),
            &good.replace("4bf9", "+bf9"),
            &good[..50],
            &good[..52],
            &format!("{good}-more"),
            &good.replacen("00", "ff", 1),
            &good.replace("00f067aa0ba902b7", "0000000000000000"),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
        ] {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_delivery_is_a_span_of_its_own() {
        let invocation = Invocation::new("r", Stage::Train, 0);
        let spans = [(1, 1), (1, 2), (2, 1)]
            .map(|(attempt, delivery)| delivery_span(&invocation, attempt, delivery));
        assert!(spans[0] != spans[1] && spans[1] != spans[2] && spans[0] != spans[2]);
        assert_eq!(spans[0], delivery_span(&invocation, 1, 1));
    }
}
