//! Work that is done need not be done again.
//!
//! The key of a work holds all that its result may depend on, and nothing else: no run, attempt,
//! time or limit. Only what ended well is kept here.

use serde::{Deserialize, Serialize};

use super::{
    commit::{Commit, Ending},
    invocation::Invocation,
    record,
};
use crate::{
    contract::{Call, Digest, Outcome, PinnedAlias, Proposal, Stage, StageMessage},
    store::Store,
};

/// The contract that components are called by; another one is other work.
pub const CONTRACT: &str = "septet:pipeline@0.1.0";

#[derive(Serialize)]
struct Key<'a> {
    contract: &'a str,
    stage: Stage,
    component: Digest,
    infer: Option<Digest>,
    transforms: &'a [Digest],
    parameters: &'a str,
    /// As text: canonical JSON has no integers above 2^53.
    seed: String,
    inputs: Vec<Input<'a>>,
    aliases: &'a [PinnedAlias],
    grants: &'a str,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    media_type: &'a str,
    digest: Digest,
}

/// The key of the work that `call` is.
pub(super) fn work_key(call: &Call, grants: &str) -> anyhow::Result<Digest> {
    // Only evaluate has another component linked to it: the one that predicts.
    let infer = (call.stage == Stage::Evaluate).then_some(call.infer);
    let inputs = call.inputs.iter().map(|input| Input {
        name: &input.name,
        media_type: &input.media_type,
        digest: input.digest,
    });
    let key = Key {
        contract: CONTRACT,
        stage: call.stage,
        component: call.component,
        infer,
        transforms: &call.transforms,
        parameters: &call.parameters,
        seed: call.seed.to_string(),
        inputs: inputs.collect(),
        aliases: &call.aliases,
        grants,
    };
    Ok(Digest::of(&record::encode(&key)?))
}

/// A work that ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    /// Who did it.
    pub(super) by: Invocation,
    pub(super) outcome: Outcome,
    pub(super) messages: Vec<StageMessage>,
    pub(super) proposals: Vec<Proposal>,
}

/// The key of a work's record.
pub(super) fn key_of(work: &Digest) -> String {
    format!("work/{work}")
}

/// Enters what a commit did. What was reused is there already.
pub(super) async fn enter(store: &Store, commit: &Commit) -> anyhow::Result<()> {
    let (Ending::Ok(outcome), None) = (&commit.ending, &commit.cached) else {
        return Ok(());
    };
    let work = Work {
        by: commit.invocation.clone(),
        outcome: outcome.clone(),
        messages: commit.messages.clone(),
        proposals: commit.proposals.clone(),
    };
    record::create(store.records.as_ref(), &key_of(&commit.work), &work).await?;
    Ok(())
}

/// The work, if it was done and all of its outputs and claims are still there; they are marked as used.
pub(super) async fn find(store: &Store, key: &Digest) -> anyhow::Result<Option<Work>> {
    let record_key = key_of(key);
    let work: Option<Work> = record::get(store.records.as_ref(), &record_key).await?;
    let Some(work) = work else {
        return Ok(None);
    };
    let outputs = work.outcome.outputs.iter().map(|o| (o.digest, o.size));
    let claims = work.messages.iter().filter_map(|m| m.claim);
    for (digest, size) in outputs.chain(claims.map(|claim| (claim.digest, claim.size))) {
        if store.blobs.touch(&digest).await? != Some(size) {
            // It will be done again, and entered again.
            store.records.delete(&record_key).await?;
            return Ok(None);
        }
    }
    Ok(Some(work))
}

/// Whether `run` is who did this work, as the ledger has it.
pub(super) async fn entered_by(store: &Store, key: &Digest, run: &str) -> anyhow::Result<bool> {
    let work: Option<Work> = record::get(store.records.as_ref(), &key_of(key)).await?;
    Ok(work.is_some_and(|work| work.by.run == run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Artifact, Origin};

    fn call() -> Call {
        let input = |name: &str| Artifact {
            name: name.to_owned(),
            digest: Digest::of(name.as_bytes()),
            size: 1,
            media_type: "text/csv".to_owned(),
        };
        Call {
            stage: Stage::Evaluate,
            component: Digest::of(b"component"),
            inputs: vec![input("bundle"), input("test")],
            parameters: "{}".to_owned(),
            seed: 1,
            aliases: vec![PinnedAlias {
                model: "m".to_owned(),
                alias: "champion".to_owned(),
                revision: 0,
                version: None,
            }],
            infer: Digest::of(b"infer"),
            transforms: vec![Digest::of(b"transform")],
            origin: Origin::default(),
        }
    }

    #[test]
    fn whatever_a_result_may_depend_on_changes_the_key() {
        let key = |change: &dyn Fn(&mut Call)| {
            let mut call = call();
            change(&mut call);
            work_key(&call, "grants").unwrap()
        };
        let other = Digest::of(b"other");
        let changes: [&dyn Fn(&mut Call); 11] = [
            &|c| c.stage = Stage::Deploy,
            &|c| c.component = other,
            &|c| c.inputs.reverse(),
            &|c| c.inputs[0].digest = other,
            &|c| c.inputs[0].name.push('2'),
            &|c| c.inputs[0].media_type.push('2'),
            &|c| c.parameters = r#"{"a":1}"#.to_owned(),
            &|c| c.seed = u64::MAX,
            &|c| c.aliases[0].revision = 2,
            &|c| c.infer = other,
            &|c| c.transforms.clear(),
        ];
        let mut keys: Vec<_> = changes.iter().map(|change| key(*change)).collect();
        keys.push(key(&|_| ()));
        keys.push(work_key(&call(), "other grants").unwrap());
        keys.push(key(&|c| c.seed = u64::MAX - 1));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn who_asks_does_not_change_the_key() {
        let mut asked_again = call();
        asked_again.origin.run = "another".to_owned();
        asked_again.origin.attempt = 3;
        let keys = [call(), asked_again].map(|call| work_key(&call, "").unwrap());
        assert_eq!(keys[0], keys[1]);
        // A train component has no infer component linked to it.
        let mut train = call();
        train.stage = Stage::Train;
        let before = work_key(&train, "").unwrap();
        train.infer = Digest::of(b"newer");
        assert_eq!(work_key(&train, "").unwrap(), before);
    }
}
