//! What a call proposed to the registry and what it sent.

use serde_json::{Value, json};

use super::objects;
use crate::{
    contract::{Executed, Proposal, StageMessage},
    pipeline::{Comparison, Tolerance},
};

/// Compares proposals and messages, each in their order.
pub(super) fn compare(
    in_force: &Executed,
    shadow: &Executed,
    tolerance: &Tolerance,
    comparison: &mut Comparison,
) {
    let proposals = [in_force, shadow].map(|executed| {
        let proposals = executed.proposals.iter().map(proposal);
        Value::Array(proposals.collect())
    });
    let messages = [in_force, shadow].map(|executed| {
        let messages = executed.messages.iter().map(message);
        Value::Array(messages.collect())
    });
    for (place, [one, other]) in [("proposals", proposals), ("messages", messages)] {
        objects::compare(place, (&one, &other), tolerance, comparison);
    }
}

/// A proposal without the reason that is given for it: that is prose.
fn proposal(proposal: &Proposal) -> Value {
    let change = proposal.change.as_ref();
    let change = change.map(|change| json!({ "alias": change.alias, "expected": change.expected }));
    json!({
        "model": proposal.model,
        "bundle": proposal.bundle,
        "summary": read(proposal.summary.as_bytes()),
        "change": change,
    })
}

fn message(message: &StageMessage) -> Value {
    let claim = message.claim.map(|claim| claim.digest);
    json!({ "label": message.label, "body": read(&message.body), "claim": claim })
}

/// What is JSON, by its values; all else as a text.
fn read(bytes: &[u8]) -> Value {
    objects::parse(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{AliasChange, Blame, Digest, Disposition};

    fn nothing() -> Executed {
        Executed {
            disposition: Disposition::Failed {
                reason: String::new(),
                blame: Blame::Host,
            },
            messages: vec![],
            proposals: vec![],
            used: [].into(),
            peak_memory_bytes: 0,
            seconds: 0.0,
        }
    }

    #[test]
    fn what_is_proposed_counts_and_why_does_not() {
        let executed = |alias: &str, reason: &str, accuracy: f64, body: &[u8]| Executed {
            proposals: vec![Proposal {
                model: "m".to_owned(),
                bundle: Digest::of(b"bundle"),
                summary: json!({ "accuracy": accuracy }).to_string(),
                change: Some(AliasChange {
                    alias: alias.to_owned(),
                    expected: None,
                    reason: reason.to_owned(),
                }),
            }],
            messages: vec![StageMessage {
                label: "alerts".to_owned(),
                body: body.to_vec(),
                claim: None,
            }],
            ..nothing()
        };
        let compared = |one: &Executed, other: &Executed| {
            let mut comparison = Comparison::default();
            compare(one, other, &Tolerance::default(), &mut comparison);
            let places = comparison.differences().iter();
            places.map(|one| one.place.clone()).collect::<Vec<_>>()
        };
        let one = executed("champion", "better", 0.9, b"\xff");
        let same = executed("champion", "BETTER", 0.9 + 1e-12, b"\xff");
        assert!(compared(&one, &same).is_empty());
        let other = executed("challenger", "better", 0.8, b"{\"a\":1}");
        assert_eq!(
            compared(&one, &other),
            [
                "proposals[0].change.alias",
                "proposals[0].summary.accuracy",
                "messages[0].body"
            ]
        );
        let nothing = nothing();
        assert_eq!(compared(&one, &nothing), ["proposals", "messages"]);
        assert_eq!(compared(&nothing, &one), ["proposals", "messages"]);
    }
}
