//! Which traces are recorded: decided by a trace's number, so that all processes decide alike.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// `OTEL_TRACES_SAMPLER` with its argument.
///
/// A run's messages always say the same of whether its trace is recorded, whatever any process is set
/// to: what the request said that asked for the run, or else yes. So a share is decided anew for
/// each span of another process, by the trace's number alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The share of traces, 0 to 1.
    pub share: f64,
    /// Whether a trace that is not recorded by who began it is left alone.
    pub by_parent: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            share: 1.0,
            by_parent: true,
        }
    }
}

impl Sampling {
    /// The standard takes the last 56 bits of a trace's number as its random ones. In a run's
    /// identifier those are random, and the ones before are not.
    fn takes(self, trace: TraceId) -> bool {
        let random = u128::from_be_bytes(trace.to_bytes()) & ((1 << 56) - 1);
        let all = (1_u64 << 56) as f64;
        random as f64 >= (1.0 - self.share) * all
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|context| context.span().span_context().clone());
        let parent = parent.filter(opentelemetry::trace::SpanContext::is_valid);
        let recorded = match &parent {
            // A span of this process: decided already.
            Some(parent) if !parent.is_remote() => parent.is_sampled(),
            Some(parent) if self.by_parent && !parent.is_sampled() => false,
            _ => self.takes(trace),
        };
        SamplingResult {
            decision: if recorded {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: parent.map_or_else(TraceState::default, |p| p.trace_state().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};
    use uuid::Uuid;

    use super::*;

    fn decide(sampling: Sampling, trace: u128, parent: Option<(bool, bool)>) -> bool {
        let trace = TraceId::from(trace);
        let context = parent.map(|(remote, sampled)| {
            let flags = TraceFlags::default().with_sampled(sampled);
            let span = SpanId::from(7);
            let span = SpanContext::new(trace, span, flags, remote, TraceState::default());
            Context::new().with_remote_span_context(span)
        });
        let context = context.as_ref();
        let result = sampling.should_sample(context, trace, "", &SpanKind::Consumer, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_share_of_runs_is_taken() {
        let share = |share| Sampling {
            share,
            by_parent: true,
        };
        // Runs that are begun a second apart, as `now_v7` numbers them.
        let context = uuid::ContextV7::new();
        let run = |second| Uuid::new_v7(uuid::Timestamp::from_unix(&context, second, 0));
        let runs: Vec<u128> = (0..2000).map(|second| run(second).as_u128()).collect();
        for (wanted, least, most) in [(0.0, 0, 0), (0.25, 400, 600), (1.0, 2000, 2000)] {
            let taken = |run: &&u128| decide(share(wanted), **run, Some((true, true)));
            let taken = runs.iter().filter(taken).count();
            assert!((least..=most).contains(&taken), "{wanted}: {taken}");
        }
    }

    #[test]
    fn what_the_parent_says_counts() {
        let all = Sampling::default();
        assert!(decide(all, 1, None) && decide(all, 1, Some((true, true))));
        assert!(!decide(all, 1, Some((true, false))));
        let always = Sampling {
            by_parent: false,
            ..all
        };
        assert!(decide(always, 1, Some((true, false))));
        // Within a process there is no second decision.
        assert!(!decide(always, 1, Some((false, false))));
        let none = Sampling { share: 0.0, ..all };
        assert!(decide(none, 1, Some((false, true))));
    }
}
