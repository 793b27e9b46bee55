//! The stage beside the gateway, as the worker's executor.

use std::time::Instant;

use anyhow::bail;
use async_trait::async_trait;
use septet_core::{
    contract::{Blame, Call, Disposition, Executed, PinnedVersion, Stage},
    limits::Limits,
    pipeline::{Executor, Progress},
};
use septet_spin_kit::identity::Identity;
use serde_json::json;

use crate::{
    component::bindings::septet::{
        pipeline::{
            stage,
            types::{self, Artifact},
        },
        spin::session::{self, Fault, Origin, PinnedAlias, Scope, Version},
    },
    effects,
};

/// The stage that was composed in.
pub(crate) struct Composed {
    identity: Identity,
    limits: Limits,
}

impl Composed {
    pub(crate) fn new(identity: Identity) -> Self {
        let limits = Limits::default();
        Self { identity, limits }
    }

    /// Why the call can't be done by what is here; none where it can.
    fn misfit(&self, call: &Call) -> Option<String> {
        let own = &self.identity;
        let stage = own.stage;
        if call.stage != stage || call.component != own.component {
            let (asked, here) = (call.component.short(), own.component.short());
            return Some(format!(
                "the run was begun with {asked} as {}, and this application has {here} as {stage}: \
                 deploy the one it was begun with, or begin it again",
                call.stage
            ));
        }
        if let Some(infer) = own.infer.filter(|infer| *infer != call.infer) {
            let (asked, here) = (call.infer.short(), infer.short());
            return Some(format!(
                "the run's models are predicted with {asked}, and this application has {here}: \
                 compose {stage} with --component infer=FILE"
            ));
        }
        let missing = call.transforms.iter();
        let mut missing = missing.filter(|digest| !own.transforms.contains(digest));
        // Only these two apply any.
        if !matches!(stage, Stage::Preprocess | Stage::Infer) {
            return None;
        }
        missing.next().map(|digest| {
            format!(
                "the transform {} is not in this application: compose {stage} with --transform",
                digest.short()
            )
        })
    }

    fn scope(call: &Call) -> Scope {
        let version = |version: &PinnedVersion| Version {
            number: version.number,
            bundle_digest: version.bundle.to_string(),
            bundle_size: version.bundle_size,
            infer_digest: version.infer.to_string(),
            summary: version.summary.clone(),
        };
        let aliases = call.aliases.iter().map(|pinned| PinnedAlias {
            model: pinned.model.clone(),
            alias: pinned.alias.clone(),
            version: pinned.version.as_ref().map(version),
        });
        let labels = call.stage.labels().iter();
        Scope {
            component: call.stage.name().to_owned(),
            inputs: inputs(call),
            aliases: aliases.collect(),
            infer_digest: call.infer.to_string(),
            transforms: call.transforms.iter().map(ToString::to_string).collect(),
            labels: labels.map(|label| (*label).to_owned()).collect(),
            writes: true,
            origin: Origin {
                run: call.origin.run.clone(),
                unit: call.origin.unit,
                attempt: call.origin.attempt,
            },
        }
    }
}

fn inputs(call: &Call) -> Vec<Artifact> {
    let inputs = call.inputs.iter().map(|input| Artifact {
        name: input.name.clone(),
        digest: input.digest.to_string(),
        size: input.size,
        media_type: input.media_type.clone(),
    });
    inputs.collect()
}

#[async_trait]
impl Executor for Composed {
    async fn execute(&self, call: Call, _: Progress) -> anyhow::Result<Executed> {
        let begun = Instant::now();
        let rejected = |reason| Disposition::Rejected { reason };
        if let Some(reason) = self.misfit(&call) {
            return Ok(effects::nothing(rejected(reason)));
        }
        let parameters = call.parameters.len() as u64;
        if parameters > self.limits.parameters_bytes {
            let reason = format!("the parameters have {parameters} bytes, which is too much");
            return Ok(effects::nothing(rejected(reason)));
        }
        if let Err(reason) = session::begin(&Self::scope(&call)) {
            return Ok(effects::nothing(rejected(reason)));
        }
        let answer = stage::run(&types::Invocation {
            inputs: inputs(&call),
            parameters: call.parameters.clone(),
            seed: call.seed,
        });
        let Some(did) = session::end() else {
            bail!("the capabilities lost the session: they were composed twice");
        };
        match &did.fault {
            Some(Fault::Unavailable(reason)) => bail!("the store: {reason}"),
            Some(Fault::Damaged(reason)) => {
                let failed = Disposition::Failed {
                    reason: reason.clone(),
                    blame: Blame::Host,
                };
                return Ok(effects::nothing(failed));
            }
            None => {}
        }
        effects::executed(&call, (answer, did), &self.limits, begun.elapsed())
    }

    fn grants(&self, call: &Call) -> String {
        json!({ "host": "spin", "labels": call.stage.labels() }).to_string()
    }
}
