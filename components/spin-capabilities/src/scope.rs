//! What one call may touch, as our own host has it.

use std::collections::{BTreeMap, BTreeSet};

use septet_core::contract::{Artifact, BUNDLE_TYPE, Digest, Origin, PinnedAlias};

/// How a model is predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// The infer component.
    pub(crate) infer: Digest,
    /// The bundle, as it is loaded.
    pub(crate) bundle: Artifact,
}

/// The scopes of a call, all of them pinned before it began.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Whose lines these are.
    pub(crate) component: String,
    /// The call's inputs, in order.
    pub(crate) inputs: Vec<Artifact>,
    /// The registry as the call may see it.
    pub(crate) aliases: Vec<PinnedAlias>,
    /// The infer component with which bundles among the inputs are predicted.
    pub(crate) infer: Digest,
    /// Transforms that the call may apply.
    pub(crate) transforms: BTreeSet<Digest>,
    /// Queues that the call may send to.
    pub(crate) labels: BTreeSet<String>,
    /// Whether the call may write blobs.
    pub(crate) writes: bool,
    /// Who asks, for log lines.
    pub(crate) origin: Origin,
}

impl Scope {
    /// The media type of a blob that the call was given or may be answered; none where it may not be
    /// read. The same bytes may have been given more than once; the first name counts.
    pub(crate) fn readable(&self, digest: &Digest) -> Option<&str> {
        if let Some(input) = self.inputs.iter().find(|input| input.digest == *digest) {
            return Some(&input.media_type);
        }
        let mut pinned = self.aliases.iter().filter_map(|a| a.version.as_ref());
        let is_bundle = pinned.any(|version| version.bundle == *digest);
        is_bundle.then_some(BUNDLE_TYPE)
    }

    /// How a bundle is predicted; none where the call may not have it predicted. An input comes first,
    /// because a candidate that is also the champion is predicted as the candidate: with the component
    /// that it would be deployed with.
    pub(crate) fn model(&self, bundle: &Digest) -> Option<Model> {
        let mut inputs = self.inputs.iter();
        let given = inputs.find(|i| i.digest == *bundle && i.media_type == BUNDLE_TYPE);
        if let Some(input) = given {
            return Some(Model {
                infer: self.infer,
                bundle: Artifact {
                    name: "bundle".to_owned(),
                    ..input.clone()
                },
            });
        }
        let mut pinned = self.aliases.iter().filter_map(|a| a.version.as_ref());
        let version = pinned.find(|version| version.bundle == *bundle)?;
        Some(Model {
            infer: version.infer,
            bundle: version.artifact(),
        })
    }

    /// The pinned value of an alias, if the call may see it.
    pub(crate) fn alias(&self, model: &str, alias: &str) -> Option<&PinnedAlias> {
        let mut aliases = self.aliases.iter();
        aliases.find(|pinned| pinned.model == model && pinned.alias == alias)
    }

    /// Whether the call has anything to do with this model.
    pub(crate) fn knows_model(&self, model: &str) -> bool {
        self.aliases.iter().any(|pinned| pinned.model == model)
    }

    /// The inputs by key: an input's name, or where a name comes more than once `name/00000`,
    /// `name/00001` and so on, in the inputs' order.
    pub(crate) fn keys(&self) -> BTreeMap<String, &Artifact> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for input in &self.inputs {
            *counts.entry(&input.name).or_default() += 1;
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut keys = BTreeMap::new();
        for input in &self.inputs {
            let key = if counts.get(input.name.as_str()) == Some(&1) {
                input.name.clone()
            } else {
                let number = seen.entry(&input.name).or_default();
                *number += 1;
                format!("{}/{:05}", input.name, *number - 1)
            };
            keys.insert(key, input);
        }
        keys
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use septet_core::contract::PinnedVersion;

    use super::*;

    pub(crate) fn artifact(name: &str, content: &[u8], media_type: &str) -> Artifact {
        Artifact {
            name: name.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            media_type: media_type.to_owned(),
        }
    }

    pub(crate) fn scope() -> Scope {
        Scope {
            component: "evaluate".to_owned(),
            inputs: vec![
                artifact("bundle", b"candidate", BUNDLE_TYPE),
                artifact("test", b"rows", "application/vnd.apache.arrow.file"),
                artifact("test", b"more", "application/vnd.apache.arrow.file"),
            ],
            aliases: vec![PinnedAlias {
                model: "m".to_owned(),
                alias: "champion".to_owned(),
                revision: 0,
                version: Some(PinnedVersion {
                    number: 1,
                    bundle: Digest::of(b"champion"),
                    bundle_size: 8,
                    infer: Digest::of(b"old infer"),
                    summary: "{}".to_owned(),
                }),
            }],
            infer: Digest::of(b"infer"),
            transforms: BTreeSet::from([Digest::of(b"transform")]),
            labels: BTreeSet::from(["alerts".to_owned()]),
            writes: true,
            origin: Origin::default(),
        }
    }

    #[test]
    fn a_call_may_touch_what_it_was_given_and_no_more() {
        let scope = scope();
        assert_eq!(
            scope.readable(&Digest::of(b"rows")),
            Some("application/vnd.apache.arrow.file")
        );
        assert_eq!(scope.readable(&Digest::of(b"champion")), Some(BUNDLE_TYPE));
        assert_eq!(scope.readable(&Digest::of(b"transform")), None);
        assert!(scope.alias("m", "champion").is_some());
        assert!(scope.alias("m", "challenger").is_none());
        assert!(scope.knows_model("m") && !scope.knows_model("n"));
    }

    #[test]
    fn each_bundle_is_predicted_by_its_own_component() {
        let scope = scope();
        let infer = |content: &[u8]| scope.model(&Digest::of(content)).map(|model| model.infer);
        assert_eq!(infer(b"candidate"), Some(Digest::of(b"infer")));
        assert_eq!(infer(b"champion"), Some(Digest::of(b"old infer")));
        // Rows are no model.
        assert_eq!(infer(b"rows"), None);
    }

    #[test]
    fn inputs_have_keys() {
        let scope = scope();
        let keys: Vec<String> = scope.keys().into_keys().collect();
        assert_eq!(keys, ["bundle", "test/00000", "test/00001"]);
    }
}
