//! What later stages and the registry rely on, checked before it is committed: what cannot be
//! published must not be.

use super::plan::required_outputs;
use crate::{
    contract::{Blame, Call, Disposition, Executed, Outcome, Proposal, Stage, StageMessage},
    store::check_queue,
};

/// The largest outcome that is committed, in bytes of JSON.
const MAX_OUTCOME: usize = 1 << 20;

/// The longest reason that is committed, in characters.
const MAX_REASON: usize = 4000;

/// As much of a reason as is kept.
pub(super) fn clipped(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

/// What was executed, or a fault of the component where later stages cannot use it.
pub(super) fn checked(call: &Call, external: bool, executed: Executed) -> Executed {
    let Disposition::Ok(outcome) = &executed.disposition else {
        return executed;
    };
    match fault(call, external, outcome, &executed) {
        None => executed,
        Some(fault) => Executed {
            used: executed.used,
            peak_memory_bytes: executed.peak_memory_bytes,
            seconds: executed.seconds,
            ..Executed::failed(fault, Blame::Guest)
        },
    }
}

fn fault(call: &Call, external: bool, outcome: &Outcome, executed: &Executed) -> Option<String> {
    let has = |name: &str| outcome.outputs.iter().any(|output| output.name == name);
    let required = match (call.stage, external) {
        // The others are for the built-in train alone, and a run that has it is not created.
        (Stage::Preprocess, true) => ["train", "test"].as_slice(),
        (stage, _) => required_outputs(stage),
    };
    let missing = required.iter().find(|name| !has(name));
    if let Some(missing) = missing {
        return Some(format!("the {} gave no '{missing}'", who(external)));
    }
    if let Some(metric) = outcome.metrics.iter().find(|m| !m.value.is_finite()) {
        return Some(format!(
            "the component's metric '{}' is no number",
            metric.name
        ));
    }
    if let Some(message) = executed.messages.iter().find(|message| is_unfit(message)) {
        let label = message.label.escape_debug();
        return Some(format!(
            "the component's message for '{label}' cannot be sent"
        ));
    }
    let foreign = executed
        .proposals
        .iter()
        .any(|proposal| is_foreign(call, proposal));
    if foreign || executed.proposals.len() > 1 {
        return Some("the component proposed what is not its to propose".to_owned());
    }
    let written = serde_json::to_vec(outcome).map_or(usize::MAX, |json| json.len());
    (written > MAX_OUTCOME).then(|| {
        format!("the component gave an outcome of {written} bytes, more than {MAX_OUTCOME}")
    })
}

const fn who(external: bool) -> &'static str {
    if external {
        "external stage"
    } else {
        "component"
    }
}

/// The stages' own queues and the poison queues are the host's.
fn is_unfit(message: &StageMessage) -> bool {
    let label = message.label.as_str();
    let ours = label.ends_with("-poison") || label.parse::<Stage>().is_ok();
    ours || check_queue(label).is_err()
}

/// A proposal is for the bundle, the model and the alias that the call was given.
fn is_foreign(call: &Call, proposal: &Proposal) -> bool {
    let mut bundles = call.inputs.iter().filter(|input| input.name == "bundle");
    let given = bundles.any(|bundle| bundle.digest == proposal.bundle);
    let pinned = call.aliases.iter().any(|pinned| {
        let change = proposal.change.as_ref();
        let same = change.is_none_or(|change| change.alias == pinned.alias);
        pinned.model == proposal.model && same
    });
    !given || !pinned
}

impl Executed {
    /// A fault before or beside the component.
    pub(super) fn failed(reason: String, blame: Blame) -> Self {
        Self {
            disposition: Disposition::Failed { reason, blame },
            messages: Vec::new(),
            proposals: Vec::new(),
            used: std::collections::BTreeMap::new(),
            peak_memory_bytes: 0,
            seconds: 0.0,
        }
    }
}
