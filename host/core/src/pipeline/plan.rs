//! Which invocations a run has, what each takes, and which are due.

use anyhow::{Context, bail};
use serde_json::Value;

use super::{
    commit::Commit, invocation::Invocation, registry::Registry, run::RunKind, state::RunState,
    view::Pipeline,
};
use crate::contract::{Artifact, Call, Origin, PinnedAlias, Stage};

/// How often a candidate is evaluated again because the alias was moved meanwhile.
pub(super) const MAX_ROUNDS: u32 = 5;

/// What is to be done next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Invocations whose inputs are there and that are not committed.
    pub(super) due: Vec<Invocation>,
    /// Whether all is done.
    pub(super) complete: bool,
}

/// Folds what is done into what is due.
pub(super) fn plan(run: &RunState) -> Plan {
    let mut plan = Plan::default();
    if run.failure().is_some() {
        return plan;
    }
    for unit in 0..run.request.sources.len() as u32 {
        await_commit(run, Stage::Ingest, unit, &mut plan);
    }
    if !plan.due.is_empty() {
        return plan;
    }
    let later: &[Stage] = match run.request.kind {
        RunKind::Train => &[Stage::Preprocess, Stage::Train],
        RunKind::Predict => &[Stage::Infer],
        RunKind::Monitor => &[Stage::Infer, Stage::Monitor],
    };
    for &stage in later {
        if await_commit(run, stage, 0, &mut plan).is_none() {
            return plan;
        }
    }
    if run.request.kind == RunKind::Train {
        plan_rounds(run, &mut plan);
    } else {
        plan.complete = true;
    }
    plan
}

/// A round is evaluate and deploy. Another follows where the alias was moved meanwhile.
fn plan_rounds(run: &RunState, plan: &mut Plan) {
    for round in 0..MAX_ROUNDS {
        if await_commit(run, Stage::Evaluate, round, plan).is_none() {
            return;
        }
        let Some(deploy) = await_commit(run, Stage::Deploy, round, plan) else {
            return;
        };
        if deploy.proposals.is_empty() {
            break;
        }
        match run.change(&deploy.invocation) {
            // Committed, and being published: what follows is not known yet.
            None => return,
            Some(change) if change.is_lost() => {}
            Some(_) => break,
        }
    }
    plan.complete = true;
}

/// The stages whose invocations may be asked for where a commit of `stage` is published, besides
/// attempts of its own: whoever publishes for a stage must be able to send to their queues.
pub const fn follows(stage: Stage) -> &'static [Stage] {
    match stage {
        Stage::Ingest => &[Stage::Preprocess, Stage::Infer],
        Stage::Preprocess => &[Stage::Train],
        // After deploy where the alias was moved meanwhile: the candidate is compared with the new
        // champion.
        Stage::Train | Stage::Deploy => &[Stage::Evaluate],
        Stage::Evaluate => &[Stage::Deploy],
        Stage::Infer => &[Stage::Monitor],
        Stage::Monitor => &[],
    }
}

/// The commit, or one more invocation that is due.
fn await_commit<'a>(
    run: &'a RunState,
    stage: Stage,
    unit: u32,
    plan: &mut Plan,
) -> Option<&'a Commit> {
    let commit = run.commit(stage, unit);
    if commit.is_none() {
        plan.due.push(run.invocation(stage, unit));
    }
    commit
}

/// What an outcome of the stage must hold, because a later stage or the user takes it.
pub const fn required_outputs(stage: Stage) -> &'static [&'static str] {
    match stage {
        Stage::Ingest => &["table"],
        Stage::Preprocess => &["train", "test", "preprocessing", "reference", "sample"],
        Stage::Train => &["bundle"],
        Stage::Evaluate => &["evaluation"],
        Stage::Deploy => &[],
        Stage::Infer => &["predictions"],
        Stage::Monitor => &["drift"],
    }
}

/// The call that an invocation is, everything that it may depend on pinned.
pub(super) async fn call(
    run: &RunState,
    invocation: &Invocation,
    pipeline: &Pipeline,
    attempt: u32,
) -> anyhow::Result<Call> {
    let Invocation { stage, unit, .. } = *invocation;
    let request = &run.request;
    let inputs = inputs(run, stage, unit)?;
    // Deploy applies none itself, but the model that it is to deploy is loaded before.
    let applies = matches!(
        stage,
        Stage::Preprocess | Stage::Evaluate | Stage::Deploy | Stage::Infer
    );
    let uses = match stage {
        Stage::Deploy => test_uses(run, &inputs, &pipeline.registry()).await?,
        _ => None,
    };
    Ok(Call {
        stage,
        component: request.component(stage)?,
        aliases: aliases(run, stage, unit, &inputs, pipeline).await?,
        inputs,
        parameters: request.parameters(stage, uses)?,
        seed: request.seed,
        infer: request.component(Stage::Infer)?,
        transforms: if applies {
            request.transforms.clone()
        } else {
            Vec::new()
        },
        origin: Origin {
            run: invocation.run.clone(),
            unit,
            attempt,
        },
    })
}

/// How many versions were evaluated on the run's test rows, as deploy's parameter.
async fn test_uses(
    run: &RunState,
    inputs: &[Artifact],
    registry: &Registry,
) -> anyhow::Result<Option<(&'static str, Value)>> {
    let output = |name: &str| {
        let commit = run.commit(Stage::Preprocess, 0);
        commit.and_then(|commit| commit.output(name))
    };
    let (test, split) = (output("test"), output("split"));
    let bundle = inputs.iter().find(|input| input.name == "bundle");
    let (Some(test), Some(bundle)) = (test, bundle) else {
        return Ok(None);
    };
    let model = registry.state(&run.request.name).await?;
    let uses = model.test_uses(
        split.map(|split| &split.digest),
        &test.digest,
        &bundle.digest,
    );
    Ok(Some(("test_uses", Value::from(uses))))
}

/// Evaluate sees the alias as it is for its candidate; deploy sees what its evaluation saw, so
/// that it cannot replace a champion that the candidate was never compared with.
async fn aliases(
    run: &RunState,
    stage: Stage,
    unit: u32,
    inputs: &[Artifact],
    pipeline: &Pipeline,
) -> anyhow::Result<Vec<PinnedAlias>> {
    Ok(match stage {
        Stage::Evaluate => {
            let model = pipeline.registry().state(&run.request.name).await?;
            let candidate = inputs.iter().find(|input| input.name == "bundle");
            let candidate = candidate.context("evaluate has no bundle to look at")?;
            let incumbent = model.incumbent(run.request.alias(), &candidate.digest);
            vec![pipeline.with_predictor(&run.request, incumbent).await?]
        }
        Stage::Deploy => {
            let evaluation = run.commit(Stage::Evaluate, unit);
            evaluation
                .map(|commit| commit.aliases.clone())
                .unwrap_or_default()
        }
        _ => Vec::new(),
    })
}

fn inputs(run: &RunState, stage: Stage, unit: u32) -> anyhow::Result<Vec<Artifact>> {
    let output = |stage: Stage, unit: u32, name: &str| {
        let found = run.commit(stage, unit).and_then(|c| c.output(name));
        found
            .cloned()
            .with_context(|| format!("{stage} gave no '{name}' in run {}", run.id))
    };
    let request = &run.request;
    let tables = || {
        let units = 0..request.sources.len() as u32;
        units.map(|unit| output(Stage::Ingest, unit, "table"))
    };
    Ok(match stage {
        Stage::Ingest => {
            let Some(source) = request.sources.get(unit as usize) else {
                bail!("run {} has no part {unit}", run.id)
            };
            let declared = request.declared.iter().cloned();
            std::iter::once(source.artifact.clone())
                .chain(declared)
                .collect()
        }
        Stage::Preprocess => {
            let data = request.parts().0.len();
            let tables = tables().enumerate().map(|(part, table)| {
                let mut table = table?;
                if part >= data {
                    "test-table".clone_into(&mut table.name);
                }
                Ok(table)
            });
            let pinned = [&request.pinned.schema, &request.pinned.split];
            let pinned = pinned.into_iter().flatten().cloned().map(Ok);
            tables.chain(pinned).collect::<anyhow::Result<_>>()?
        }
        Stage::Train => {
            // An external preprocess need not give them; a component was held to.
            let others = ["preprocessing", "reference", "sample"];
            let others = others.map(|name| optional(run, Stage::Preprocess, 0, name));
            std::iter::once(output(Stage::Preprocess, 0, "train")?)
                .chain(others.into_iter().flatten())
                .collect()
        }
        Stage::Evaluate => vec![
            output(Stage::Train, 0, "bundle")?,
            output(Stage::Preprocess, 0, "test")?,
        ],
        Stage::Deploy => vec![
            output(Stage::Train, 0, "bundle")?,
            output(Stage::Evaluate, unit, "evaluation")?,
        ],
        Stage::Infer => {
            let mut inputs = vec![bundle(run)?];
            for (unit, table) in (0..).zip(tables()) {
                inputs.push(table?);
                // The rows that were set apart are reported behind those of their part.
                inputs.extend(optional(run, Stage::Ingest, unit, "quarantine"));
            }
            inputs
        }
        Stage::Monitor => {
            let features = optional(run, Stage::Infer, 0, "features");
            std::iter::once(bundle(run))
                .chain(tables())
                .chain([output(Stage::Infer, 0, "predictions")])
                .chain(features.map(Ok))
                .collect::<anyhow::Result<_>>()?
        }
    })
}

/// An output that the stage need not give.
fn optional(run: &RunState, stage: Stage, unit: u32, name: &str) -> Option<Artifact> {
    let commit = run.commit(stage, unit)?;
    commit.output(name).cloned()
}

/// The bundle of the version that the run predicts with.
fn bundle(run: &RunState) -> anyhow::Result<Artifact> {
    let model = run.request.model.as_ref();
    Ok(model.context("the run has no model")?.version.artifact())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::Arc,
    };

    use super::*;
    use crate::{
        contract::{Digest, Outcome, Proposal},
        pipeline::{AliasResult, Change, Ending, RunRequest, Source},
    };

    fn request(kind: RunKind) -> RunRequest {
        let part = |label: &str| Source {
            label: label.to_owned(),
            artifact: Artifact {
                name: "source".to_owned(),
                digest: Digest::of(label.as_bytes()),
                size: 1,
                media_type: String::new(),
            },
        };
        RunRequest {
            kind,
            name: "m".to_owned(),
            sources: vec![part("a"), part("b")],
            parameters: BTreeMap::new(),
            seed: 0,
            components: BTreeMap::new(),
            model: None,
            transforms: Vec::new(),
            created: String::new(),
            tests: 0,
            declared: None,
            pinned: super::super::run::Pinned::default(),
            trace: None,
        }
    }

    fn done(invocation: &Invocation) -> Commit {
        let digest = Digest::of(b"");
        let proposal = Proposal {
            model: "m".to_owned(),
            bundle: digest,
            summary: "{}".to_owned(),
            change: None,
        };
        let proposals = match invocation.stage {
            Stage::Deploy => vec![proposal],
            _ => Vec::new(),
        };
        Commit {
            invocation: invocation.clone(),
            component: digest,
            inputs: Vec::new(),
            work: digest,
            ending: Ending::Ok(Outcome::default()),
            messages: Vec::new(),
            proposals,
            aliases: Vec::new(),
            used: BTreeMap::new(),
            cached: None,
            seconds: 0.0,
            peak_memory_bytes: 0,
            attempt: 1,
            started: String::new(),
            finished: String::new(),
            span: None,
        }
    }

    /// A run to its end, with every alias lost but the last: what was asked for where, by stage.
    fn walk(kind: RunKind, seen: &mut BTreeSet<(Stage, Stage)>) {
        let mut run = RunState::new("r".to_owned(), Arc::new(request(kind)));
        let mut due = plan(&run).due;
        assert!(due.iter().all(|first| first.stage == Stage::Ingest));
        for _ in 0..100 {
            let Some(next) = due.pop() else { break };
            run.add_commit(done(&next));
            if next.stage == Stage::Deploy {
                run.add_change(Change {
                    invocation: next.clone(),
                    model: "m".to_owned(),
                    version: 1,
                    alias: Some(("champion".to_owned(), AliasResult::Lost { current: None })),
                    refused: None,
                });
            }
            due = plan(&run).due;
            let others = due.iter().filter(|other| other.stage != Stage::Ingest);
            seen.extend(others.map(|other| (next.stage, other.stage)));
        }
        assert!(plan(&run).complete);
    }

    #[test]
    fn what_may_follow_is_what_follows() {
        let mut seen = BTreeSet::new();
        for kind in [RunKind::Train, RunKind::Predict, RunKind::Monitor] {
            walk(kind, &mut seen);
        }
        let table = Stage::ALL
            .into_iter()
            .flat_map(|stage| follows(stage).iter().map(move |next| (stage, *next)));
        assert_eq!(seen, table.collect());
    }
}
