//! What one call may touch: the scopes of its grants.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::{Artifact, BUNDLE_TYPE, Call, Digest, PinnedAlias};

/// How a model is predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// The infer component.
    pub(crate) infer: Digest,
    /// The bundle, as it is loaded.
    pub(crate) bundle: Artifact,
}

/// The scopes of a call, all of them pinned before it began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The call's inputs, in order.
    pub(crate) inputs: Vec<Artifact>,
    /// The registry as the call may see it.
    pub(crate) aliases: Vec<PinnedAlias>,
    /// Bundles that the call may have predicted.
    pub(crate) models: BTreeMap<Digest, Model>,
    /// Transforms that the call may apply.
    pub(crate) transforms: BTreeSet<Digest>,
    /// Queues that the call may send to.
    pub(crate) labels: BTreeSet<String>,
    /// Blobs that the call was given or may be answered.
    pub(crate) readable: BTreeSet<Digest>,
}

impl Scope {
    /// The scopes of `call`, which may send to `labels`.
    pub(crate) fn of(call: &Call, labels: BTreeSet<String>) -> Self {
        let pinned = call.aliases.iter().filter_map(|a| a.version.as_ref());
        let mut readable: BTreeSet<Digest> = call.inputs.iter().map(|i| i.digest).collect();
        let mut models: BTreeMap<Digest, Model> = BTreeMap::new();
        for version in pinned {
            readable.insert(version.bundle);
            let (infer, bundle) = (version.infer, version.artifact());
            models.insert(version.bundle, Model { infer, bundle });
        }
        // An input comes after, because a candidate that is also the champion is predicted as
        // the candidate: with the component that it would be deployed with.
        for input in call.inputs.iter().filter(|i| i.media_type == BUNDLE_TYPE) {
            let model = Model {
                infer: call.infer,
                bundle: Artifact {
                    name: "bundle".to_owned(),
                    ..input.clone()
                },
            };
            models.insert(input.digest, model);
        }
        Self {
            inputs: call.inputs.clone(),
            aliases: call.aliases.clone(),
            models,
            transforms: call.transforms.iter().copied().collect(),
            labels,
            readable,
        }
    }

    /// The scopes of a predictor: its bundle, and the transforms that it may apply.
    pub(crate) fn of_predictor(bundle: &Artifact, transforms: BTreeSet<Digest>) -> Self {
        Self {
            inputs: vec![bundle.clone()],
            readable: BTreeSet::from([bundle.digest]),
            transforms,
            ..Self::default()
        }
    }

    /// Whether the call was given this blob.
    pub(crate) fn may_read(&self, digest: &Digest) -> bool {
        self.readable.contains(digest)
    }

    /// The pinned value of an alias, if the call may see it.
    pub(crate) fn alias(&self, model: &str, alias: &str) -> Option<&PinnedAlias> {
        self.aliases
            .iter()
            .find(|pinned| pinned.model == model && pinned.alias == alias)
    }

    /// Whether the call has anything to do with this model.
    pub(crate) fn knows_model(&self, model: &str) -> bool {
        self.aliases.iter().any(|pinned| pinned.model == model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Origin, PinnedVersion, Stage};

    fn artifact(name: &str, content: &[u8], media_type: &str) -> Artifact {
        Artifact {
            name: name.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            media_type: media_type.to_owned(),
        }
    }

    fn call() -> Call {
        Call {
            stage: Stage::Evaluate,
            component: Digest::of(b"component"),
            inputs: vec![
                artifact("bundle", b"candidate", BUNDLE_TYPE),
                artifact("test", b"rows", "application/vnd.apache.arrow.file"),
            ],
            parameters: "{}".to_owned(),
            seed: 0,
            aliases: vec![PinnedAlias {
                model: "m".to_owned(),
                alias: "champion".to_owned(),
                revision: 1,
                version: Some(PinnedVersion {
                    number: 1,
                    bundle: Digest::of(b"champion"),
                    bundle_size: 8,
                    infer: Digest::of(b"old infer"),
                    summary: "{}".to_owned(),
                }),
            }],
            infer: Digest::of(b"infer"),
            transforms: vec![Digest::of(b"transform")],
            origin: Origin::default(),
        }
    }

    #[test]
    fn a_call_may_touch_what_it_was_given_and_no_more() {
        let scope = Scope::of(&call(), BTreeSet::new());
        assert!(scope.may_read(&Digest::of(b"rows")));
        assert!(scope.may_read(&Digest::of(b"champion")));
        assert!(!scope.may_read(&Digest::of(b"transform")));
        assert!(!scope.may_read(&Digest::of(b"else")));
        assert!(scope.alias("m", "champion").is_some());
        assert!(scope.alias("m", "challenger").is_none());
        assert!(!scope.knows_model("n"));
        // Rows are no model.
        assert!(!scope.models.contains_key(&Digest::of(b"rows")));
    }

    #[test]
    fn each_bundle_is_predicted_by_its_own_component() {
        let scope = Scope::of(&call(), BTreeSet::new());
        let infer = |content: &[u8]| scope.models[&Digest::of(content)].infer;
        assert_eq!(infer(b"candidate"), Digest::of(b"infer"));
        assert_eq!(infer(b"champion"), Digest::of(b"old infer"));
    }
}
