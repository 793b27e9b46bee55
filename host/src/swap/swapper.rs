//! The steps of a swap, one after the other.
//!
//! All of them but the last are off the path of any call: a component is compiled, linked and tried
//! beside what is in force. Its bytes are put into the store, and then one record is created; a crash
//! before that has changed nothing.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{Mutex, OnceCell};

use super::{
    demo::demo,
    offer::Offer,
    predictions,
    report::Report,
    step::{Refused, Step, Why},
    trial,
};
use crate::{
    capability::clean,
    contract::{Digest, Stage},
    failpoint,
    pipeline::{Admitted, ArmKind, Changed, Percent, Pipeline},
    stage::{LoadError, StageExecutor, is_import},
    trust::Signed,
};

/// Calls that a component is tried on, and the most bytes of inputs of one.
const CALLS: usize = 3;
const BYTES: u64 = 64 << 20;

/// The longest reason of a refusal, in bytes.
const MAX_REASON: u64 = 1500;

/// What somebody who offers a component wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Who; for the log.
    pub who: String,
    /// Refuses other answers than before.
    pub same_answers: bool,
    /// Not into force, but tried on a share of the calls.
    pub canary: Option<Percent>,
    /// Not into force, but given copies of a share of the calls.
    pub shadow: Option<Percent>,
}

/// A component that was taken.
#[derive(Clone, Debug)]
pub struct Swapped {
    /// Which stage.
    pub stage: Stage,
    /// What is in force or tried now.
    pub component: Digest,
    /// Who signed it, where it is signed and a key is trusted.
    pub signed: Option<Signed>,
    /// What was tried.
    pub report: Report,
    /// The entry of the log; none where all was so already.
    pub revision: Option<u64>,
}

/// Swaps components, one at a time.
pub struct Swapper {
    pipeline: Pipeline,
    stages: Arc<StageExecutor>,
    one: Mutex<()>,
    demo: OnceCell<Pipeline>,
}

impl Swapper {
    /// Swaps the stages of `pipeline`, tried in `stages`.
    pub fn new(pipeline: Pipeline, stages: Arc<StageExecutor>) -> Self {
        Self {
            pipeline,
            stages,
            one: Mutex::new(()),
            demo: OnceCell::new(),
        }
    }

    /// The pipeline whose stages are swapped.
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The most bytes that a component may have.
    pub fn largest(&self) -> u64 {
        self.stages.limits().component_bytes
    }

    /// Whether the component is the one that this program has of the stage.
    pub fn is_builtin(&self, stage: Stage, component: &Digest) -> bool {
        self.stages.catalog().embedded(stage).as_ref() == Some(component)
    }

    /// Puts what is offered in the place of the stage's component, or tries it on a share of the
    /// calls. A refusal is written down, and what was in force still is.
    pub async fn swap(&self, stage: Stage, offer: Offer, wish: &Wish) -> Result<Swapped, Refused> {
        let _one = self.one.lock().await;
        let whole = offer.size == offer.bytes.len() as u64;
        let component = whole.then(|| Digest::of(&offer.bytes));
        let (step, why) = match self.steps(stage, offer, wish).await {
            Ok(swapped) => return Ok(swapped),
            Err(ended) => ended,
        };
        let (reason, fault) = match why {
            Why::Component(reason) => (clean(&reason, MAX_REASON), false),
            Why::Host(error) => (clean(&format!("{error:#}"), MAX_REASON), true),
        };
        let told = (step.name(), reason.as_str(), wish.who.as_str());
        let swaps = self.pipeline.swaps();
        if let Err(error) = swaps.refuse(stage, component, told).await {
            tracing::warn!("{error:#}");
        }
        Err(Refused {
            stage,
            component,
            step,
            reason,
            fault,
        })
    }

    /// Puts the built-in component into force again, as another swap; false where it is already.
    pub async fn builtin(&self, stage: Stage, who: &str) -> anyhow::Result<bool> {
        let changed = self.pipeline.swaps().swap(stage, None, who).await?;
        Ok(changed != Changed::Already)
    }

    async fn steps(&self, stage: Stage, offer: Offer, wish: &Wish) -> Result<Swapped, (Step, Why)> {
        let at = |step: Step| move |why: String| (step, Why::Component(why));
        let limits = self.stages.limits();
        limits
            .check_component(offer.size)
            .map_err(|limit| at(Step::Size)(limit.to_string()))?;
        let Offer {
            bytes, signature, ..
        } = offer;
        let (component, size) = (Digest::of(&bytes), bytes.len() as u64);
        let trust = self.pipeline.swaps().trust();
        trust.check_pin(stage, &component).map_err(at(Step::Pin))?;
        let signed = trust.check(&bytes, signature.as_deref());
        let signed = signed.map_err(at(Step::Signature))?;

        let state = self.pipeline.swaps().state(stage).await;
        let state = state.map_err(|error| (Step::Store, Why::Host(error)))?;
        let only_tried = wish.canary.is_some() || wish.shadow.is_some();
        if only_tried && state.current == Some(component) {
            return Err(at(Step::Answers)(format!(
                "{} is in force for {stage} already: there is nothing to try",
                component.short()
            )));
        }
        self.fits(stage, &component, &bytes).await?;
        let report = self.report(stage, component).await;
        let report = report.map_err(|why| (Step::Golden, why))?;
        if let Some(first) = report.first().filter(|_| wish.same_answers) {
            let why = format!("it answers otherwise than before: {first}");
            return Err(at(Step::Answers)(why));
        }
        let admitted = Admitted {
            component,
            size,
            signature,
            key: signed.as_ref().map(|signed| signed.key.to_string()),
            report: serde_json::to_string(&report).unwrap_or_else(|_| "{}".to_owned()),
            wished: None,
        };
        let entered = self.enter(stage, &bytes, &admitted, wish).await;
        let revision = entered.map_err(|error| (Step::Store, Why::Host(error)))?;
        Ok(Swapped {
            stage,
            component,
            signed,
            report,
            revision,
        })
    }

    /// Compiles it, and holds what it imports and exports against the stage's world and grants.
    async fn fits(
        &self,
        stage: Stage,
        component: &Digest,
        bytes: &[u8],
    ) -> Result<(), (Step, Why)> {
        let catalog = self.stages.catalog();
        let why = |error: LoadError| match error {
            LoadError::Misfit { problems, .. } => Why::Component(problems.join("; ")),
            error @ LoadError::Missing(_) => Why::Component(error.to_string()),
            LoadError::Host(error) => Why::Host(error),
        };
        let offered = catalog.offer(bytes.to_vec()).await;
        offered.map_err(|error| (Step::Compile, why(error)))?;
        catalog.load(stage, component).await.map_err(|error| {
            let LoadError::Misfit { problems, .. } = &error else {
                return (Step::World, why(error));
            };
            // What it exports comes first: where that is wrong, it is no component of the stage at
            // all, whatever it wants.
            let (imports, others): (Vec<String>, Vec<String>) = problems
                .iter()
                .cloned()
                .partition(|problem| is_import(problem));
            let (step, problems) = if others.is_empty() {
                (Step::Grants, imports)
            } else {
                (Step::World, others)
            };
            (step, Why::Component(problems.join("; ")))
        })
    }

    /// Tries it on recorded calls of the stage, or where there are none, on the demo's.
    async fn report(&self, stage: Stage, component: Digest) -> Result<Report, Why> {
        let mut report = Report::default();
        let mut source = self.pipeline.clone();
        let mut calls = source.golden(stage, CALLS, BYTES).await?;
        let models = stage == Stage::Infer && self.has_champion().await?;
        if calls.is_empty() {
            let tried = self.demo.get_or_try_init(|| demo(&self.stages)).await;
            source = tried.context("the demo's data can't be tried")?.clone();
            calls = source.golden(stage, CALLS, BYTES).await?;
            report.demo = true;
        }
        let blobs = &source.store().blobs;
        for golden in &calls {
            let tried = trial::again(&self.stages, component, golden, blobs).await?;
            report.calls.push(tried);
        }
        if stage == Stage::Infer {
            let builtin = self.stages.catalog().embedded(stage);
            let builtin = builtin.unwrap_or(component);
            // Of a store without models, the demo's.
            let source = if models { &self.pipeline } else { &source };
            let tried = predictions::compare(&self.stages, component, source, builtin).await?;
            report.calls.extend(tried);
        }
        Ok(report)
    }

    async fn has_champion(&self) -> anyhow::Result<bool> {
        let registry = self.pipeline.registry();
        for model in registry.models().await? {
            if registry
                .state(&model)
                .await?
                .pointed_at("champion")
                .is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The bytes first, and then the record: what the log names is there.
    async fn enter(
        &self,
        stage: Stage,
        bytes: &[u8],
        admitted: &Admitted,
        wish: &Wish,
    ) -> anyhow::Result<Option<u64>> {
        self.pipeline.store().blobs.put(bytes).await?;
        failpoint::pass(failpoint::OFFERED);
        let swaps = self.pipeline.swaps();
        let (who, mut last) = (wish.who.as_str(), None);
        let mut note = |changed| {
            if let Changed::Done(seq) = changed {
                last = Some(seq);
            }
        };
        let trials = [
            (ArmKind::Canary, wish.canary),
            (ArmKind::Shadow, wish.shadow),
        ];
        for (kind, percent) in trials {
            if let Some(percent) = percent {
                note(swaps.attempt(kind, (stage, admitted), percent, who).await?);
            }
        }
        if wish.canary.is_none() && wish.shadow.is_none() {
            note(swaps.swap(stage, Some(admitted), who).await?);
        }
        Ok(last)
    }
}
