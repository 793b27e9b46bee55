//! What the settings of a process put in the place of built-in components: external stages.
//!
//! The log of the stages counts before it: what was promoted there stays in force, and a rollback returns to
//! what the settings say. It must not know how an external stage is called.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::run::RunKind;
use crate::contract::{Digest, Stage};

/// An external stage of the settings.
#[derive(Clone, Debug)]
pub struct Stand {
    /// What stands for it where a component's digest does.
    pub identity: Digest,
    /// The text with that digest. It is kept in the store, so that who looks at a run finds it there.
    pub definition: String,
}

/// The external stages of the settings.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    stages: BTreeMap<Stage, Stand>,
    /// The infer component of models that an external train makes; none for the built-in one.
    predictor: Option<Digest>,
}

impl Standing {
    /// These stages are external. A model that an external train makes is predicted by `predictor`.
    pub const fn new(stages: BTreeMap<Stage, Stand>, predictor: Option<Digest>) -> Self {
        Self { stages, predictor }
    }

    /// What stands in a stage's place.
    pub fn of(&self, stage: Stage) -> Option<&Stand> {
        self.stages.get(&stage)
    }

    /// Whether no stage is external.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether this stands for an external stage of the settings.
    pub fn is_own(&self, identity: &Digest) -> bool {
        self.stages
            .values()
            .any(|stand| stand.identity == *identity)
    }

    /// The infer component of models that an external train makes.
    pub(super) const fn predictor(&self) -> Option<Digest> {
        self.predictor
    }

    /// Whether the stages of a run can work with what they are given: built-in ones need of each other what an
    /// external one does not make.
    pub(super) fn check(
        &self,
        kind: RunKind,
        components: &BTreeMap<Stage, Digest>,
    ) -> anyhow::Result<()> {
        if kind != RunKind::Train {
            return Ok(());
        }
        let external = |stage: Stage| components.get(&stage).is_some_and(|c| self.is_own(c));
        for (stage, before) in [
            (Stage::Train, Stage::Preprocess),
            (Stage::Evaluate, Stage::Preprocess),
            (Stage::Deploy, Stage::Evaluate),
        ] {
            ensure!(
                external(stage) || !external(before),
                "{stage} is a component and needs what only the component of {before} makes, but {before} is \
                 external: replace {before} before {stage}, or give [{stage}] an `external`, too"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Stage::{Deploy, Evaluate, Preprocess, Train};

    #[test]
    fn a_component_that_lacks_what_it_needs_is_named() {
        let digest = |stage: Stage| Digest::of(stage.name().as_bytes());
        let check = |external: &[Stage]| {
            let stand = |stage: &Stage| {
                let stand = Stand {
                    identity: Digest::of(&[*stage as u8]),
                    definition: String::new(),
                };
                (*stage, stand)
            };
            let standing = Standing::new(external.iter().map(stand).collect(), None);
            let component = |stage: Stage| {
                let own = standing.of(stage).map(|stand| stand.identity);
                (stage, own.unwrap_or_else(|| digest(stage)))
            };
            let components = Stage::ALL.into_iter().map(component).collect();
            standing.check(RunKind::Train, &components)
        };
        for good in [
            &[][..],
            &[Train],
            &[Preprocess, Train, Evaluate, Deploy],
            &[Evaluate, Deploy],
            &[Deploy],
        ] {
            check(good).unwrap();
        }
        for (bad, why) in [
            (&[Preprocess][..], "train is a component"),
            (&[Preprocess, Train, Deploy], "evaluate is a component"),
            (&[Evaluate], "deploy is a component"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
