//! What a call did, within its scope and the limits of our own host.

use std::collections::BTreeMap;

use septet_core::{
    contract::{AliasChange, Digest, Proposal, StageMessage},
    limits::Limits,
    text::clean,
};

use crate::{lines::Lines, scope::Scope, written::Written};

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Out of scope.
    AccessDenied,
    /// More than a limit allows.
    TooLarge(u64),
    /// Anything else, in one line.
    Other(String),
}

/// What went wrong below the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store was away or refused.
    Unavailable(String),
    /// A blob's bytes are not those of its address.
    Damaged(String),
}

/// A proposal as a component makes it.
pub(crate) struct Proposed {
    pub(crate) model: String,
    pub(crate) bundle: String,
    pub(crate) summary: String,
    pub(crate) change: Option<Change>,
}

/// A change of an alias as a component proposes it.
pub(crate) struct Change {
    pub(crate) alias: String,
    pub(crate) expected: Option<String>,
    pub(crate) reason: String,
}

/// One call and what it did so far.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) limits: Limits,
    pub(crate) scope: Scope,
    pub(crate) written: Written,
    pub(crate) messages: Vec<StageMessage>,
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) used: BTreeMap<&'static str, u64>,
    pub(crate) progress: Option<(u64, Option<u64>)>,
    pub(crate) lines: Lines,
    pub(crate) fault: Option<Fault>,
    calls: u64,
}

impl Call {
    /// Begins a call. `most_bytes` is the largest blob that the store takes.
    pub(crate) fn new(scope: Scope, most_bytes: u64) -> Self {
        let mut limits = Limits::default();
        limits.blob_bytes = limits.blob_bytes.min(most_bytes);
        if !scope.writes {
            limits.blobs = 0;
        }
        Self {
            lines: Lines::new(&limits),
            limits,
            scope,
            written: Written::default(),
            messages: Vec::new(),
            proposals: Vec::new(),
            used: BTreeMap::new(),
            progress: None,
            fault: None,
            calls: 0,
        }
    }

    /// Counts a use of a capability. A component that asks without end is refused at last.
    pub(crate) fn enter(&mut self, capability: &'static str) -> Result<(), Refusal> {
        if self.calls >= self.limits.host_calls {
            let limit = self.limits.host_calls;
            return Err(Refusal::Other(format!(
                "limit host_calls allows {limit}; more was asked for"
            )));
        }
        self.calls += 1;
        *self.used.entry(capability).or_default() += 1;
        Ok(())
    }

    /// Remembers what went wrong below the stage. The first counts.
    pub(crate) fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// The media type of a blob that the call may read.
    pub(crate) fn readable(&self, digest: &Digest) -> Option<String> {
        let written = self.written.media_type(digest);
        written
            .or_else(|| self.scope.readable(digest))
            .map(str::to_owned)
    }

    /// Takes a message.
    pub(crate) fn send(&mut self, label: String, body: Vec<u8>) -> Result<(), Refusal> {
        if !self.scope.labels.contains(&label) {
            return Err(Refusal::AccessDenied);
        }
        if body.len() as u64 > self.limits.message_bytes {
            return Err(Refusal::TooLarge(self.limits.message_bytes));
        }
        if self.messages.len() as u64 >= self.limits.messages {
            return Err(Refusal::TooLarge(self.limits.messages));
        }
        self.messages.push(StageMessage {
            label,
            body,
            claim: None,
        });
        Ok(())
    }

    /// Takes a proposal.
    pub(crate) fn propose(&mut self, proposed: Proposed) -> Result<(), Refusal> {
        let limits = &self.limits;
        if proposed.summary.len() as u64 > limits.summary_bytes {
            return Err(Refusal::TooLarge(limits.summary_bytes));
        }
        if self.proposals.len() as u64 >= limits.proposals {
            return Err(Refusal::TooLarge(limits.proposals));
        }
        if !self.scope.knows_model(&proposed.model) {
            return Err(Refusal::AccessDenied);
        }
        let bundle = digest(&proposed.bundle)?;
        let given = self.scope.inputs.iter().any(|input| input.digest == bundle);
        if !given && !self.written.has(&bundle) {
            return Err(Refusal::AccessDenied);
        }
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>;
        if let Err(error) = object(&proposed.summary) {
            let reason = format!("the summary is not a JSON object: {error}");
            return Err(Refusal::Other(reason));
        }
        let change = proposed
            .change
            .map(|change| self.change(change, &proposed.model));
        self.proposals.push(Proposal {
            change: change.transpose()?,
            model: proposed.model,
            bundle,
            summary: proposed.summary,
        });
        Ok(())
    }

    fn change(&self, change: Change, model: &str) -> Result<AliasChange, Refusal> {
        if self.scope.alias(model, &change.alias).is_none() {
            return Err(Refusal::AccessDenied);
        }
        Ok(AliasChange {
            alias: change.alias,
            expected: change.expected.as_deref().map(digest).transpose()?,
            reason: clean(&change.reason, self.limits.text_bytes),
        })
    }
}

fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse()
        .map_err(|error: anyhow::Error| Refusal::Other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::tests::scope;

    fn call() -> Call {
        Call::new(scope(), 1 << 20)
    }

    fn proposed(model: &str, bundle: &[u8]) -> Proposed {
        Proposed {
            model: model.to_owned(),
            bundle: Digest::of(bundle).to_string(),
            summary: "{}".to_owned(),
            change: None,
        }
    }

    #[test]
    fn messages_are_of_granted_labels_and_bounded() {
        let mut call = call();
        call.send("alerts".to_owned(), b"x".to_vec()).unwrap();
        let denied = call.send("other".to_owned(), Vec::new());
        assert_eq!(denied, Err(Refusal::AccessDenied));
        let large = call.send("alerts".to_owned(), vec![0; (1 << 20) + 1]);
        assert_eq!(large, Err(Refusal::TooLarge(1 << 20)));
        for _ in 1..1000 {
            call.send("alerts".to_owned(), Vec::new()).unwrap();
        }
        let many = call.send("alerts".to_owned(), Vec::new());
        assert_eq!(many, Err(Refusal::TooLarge(1000)));
    }

    #[test]
    fn proposals_are_of_known_models_and_given_bundles() {
        let mut call = call();
        call.propose(proposed("m", b"candidate")).unwrap();
        let other = |model, bundle: &[u8]| super::tests::call().propose(proposed(model, bundle));
        assert_eq!(other("n", b"candidate"), Err(Refusal::AccessDenied));
        assert_eq!(other("m", b"champion"), Err(Refusal::AccessDenied));
        let summary = Proposed {
            summary: "[]".to_owned(),
            ..proposed("m", b"candidate")
        };
        assert!(matches!(call.propose(summary), Err(Refusal::Other(_))));
        let change = |alias: &str| Proposed {
            change: Some(Change {
                alias: alias.to_owned(),
                expected: None,
                reason: "it\nwon".to_owned(),
            }),
            ..proposed("m", b"candidate")
        };
        assert_eq!(call.propose(change("latest")), Err(Refusal::AccessDenied));
        call.propose(change("champion")).unwrap();
        let change = call.proposals.last().and_then(|p| p.change.as_ref());
        assert_eq!(change.map(|change| change.reason.as_str()), Some("it won"));
    }

    #[test]
    fn what_a_call_wrote_it_may_read() {
        let mut call = call();
        let digest = Digest::of(b"new");
        assert_eq!(call.readable(&digest), None);
        call.written.finish(digest, 3, "text/plain".to_owned());
        assert_eq!(call.readable(&digest).as_deref(), Some("text/plain"));
        let predictor = Call::new(
            Scope {
                writes: false,
                ..scope()
            },
            1 << 20,
        );
        let mut written = predictor.written;
        assert_eq!(written.create(&predictor.limits), Err(0));
    }

    #[test]
    fn calls_are_counted_and_bounded() {
        let mut call = call();
        call.limits.host_calls = 1;
        call.enter("log").unwrap();
        assert!(matches!(call.enter("log"), Err(Refusal::Other(_))));
        assert_eq!(call.used, BTreeMap::from([("log", 1)]));
    }
}
