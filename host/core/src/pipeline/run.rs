//! What a run was asked to do: written once, when it is created.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    registry::{check_alias, check_model},
    trace::{Place, Traceparent, run_span},
};
use crate::contract::{Artifact, Digest, PinnedVersion, Stage};

/// The most parts a dataset may have.
pub(super) const MAX_SOURCES: usize = 10_000;

/// The longest label of a source, in bytes.
const MAX_LABEL: usize = 4096;

/// What a run is for, and so which stages it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// ingest → preprocess → train → evaluate → deploy.
    Train,
    /// ingest → infer.
    Predict,
    /// ingest → infer → monitor.
    Monitor,
}

impl RunKind {
    /// The stages, in order.
    pub const fn stages(self) -> &'static [Stage] {
        match self {
            Self::Train => &[
                Stage::Ingest,
                Stage::Preprocess,
                Stage::Train,
                Stage::Evaluate,
                Stage::Deploy,
            ],
            Self::Predict => &[Stage::Ingest, Stage::Infer],
            Self::Monitor => &[Stage::Ingest, Stage::Infer, Stage::Monitor],
        }
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Predict => "predict",
            Self::Monitor => "monitor",
        }
    }
}

/// One part of the dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The path as the user gave it.
    pub label: String,
    /// Its bytes, named `source`.
    pub artifact: Artifact,
}

/// The model that a run predicts with, resolved when the run was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedModel {
    /// The model's name.
    pub name: String,
    /// What the user asked for: `champion`, `3`.
    pub asked: String,
    /// What that was.
    pub version: PinnedVersion,
}

/// All that a run's results may depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// What the run is for.
    pub kind: RunKind,
    /// The name of the model that it makes or uses.
    pub name: String,
    /// The dataset's parts, in order.
    pub sources: Vec<Source>,
    /// A JSON object a stage; none is an empty one.
    pub parameters: BTreeMap<Stage, Value>,
    /// For all randomness.
    pub seed: u64,
    /// The components, as they were when the run was created. Train needs the infer component
    /// too: it answers evaluate and is registered with the version.
    pub components: BTreeMap<Stage, Digest>,
    /// The model to predict with; none for train.
    pub model: Option<PinnedModel>,
    /// The transforms that may be applied.
    pub transforms: Vec<Digest>,
    /// RFC 3339, UTC.
    pub created: String,
    /// How many of the last parts hold test rows.
    #[serde(default)]
    pub tests: u32,
    /// The schema that a user declared, and that ingest reads the parts by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Artifact>,
    /// What the model's name decides, as it was when the run was created.
    #[serde(default)]
    pub pinned: Pinned,
    /// The span that asked for the run, as a `traceparent` names it, or only its trace, 32
    /// hexadecimal digits; none where the run begins a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What earlier runs decided for all that train under a model's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The schema that parts are held to; none before there is a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Artifact>,
    /// The split that the run's is built on; none before there is a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Artifact>,
    /// The infer component that was in force for all versions; none where each has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer: Option<Digest>,
}

impl RunRequest {
    /// Checks the request and fills in what the host knows: the model and alias for evaluate and
    /// deploy, the transforms for preprocess, the model's own infer component, and the format
    /// that monitor reads. Whoever starts a run does so, too; a trigger that must tell a wrong
    /// request from a store that fails does so before.
    pub fn complete(mut self) -> anyhow::Result<Self> {
        check_model(&self.name)?;
        ensure!(!self.sources.is_empty(), "a run needs data: name a file");
        ensure!(
            self.sources.len() <= MAX_SOURCES,
            "a dataset has at most {MAX_SOURCES} parts; these are {}",
            self.sources.len()
        );
        for source in &self.sources {
            let fits = source.label.len() <= MAX_LABEL && source.artifact.name == "source";
            ensure!(fits, "a part's label is too long or it is no 'source'");
        }
        let kind = self.kind;
        ensure!(
            self.tests == 0 || kind == RunKind::Train,
            "a {} run has no test files",
            kind.name()
        );
        ensure!(
            (self.tests as usize) < self.sources.len(),
            "a run needs data beside its test files: name a file"
        );
        if let Some(declared) = &self.declared {
            ensure!(declared.name == "schema", "a declared schema is a 'schema'");
        }
        for (stage, parameters) in &self.parameters {
            ensure!(
                kind.stages().contains(stage),
                "a {} run has no stage {stage}: it takes no parameters for it",
                kind.name()
            );
            ensure!(
                parameters.is_object(),
                "the parameters of {stage} are not a JSON object"
            );
        }
        match (&self.model, kind) {
            (None, RunKind::Train) => {
                self.complete_train()?;
            }
            (Some(model), RunKind::Predict | RunKind::Monitor) => {
                ensure!(model.name == self.name, "the model's name is given twice");
                // There is one prediction path: a version is predicted with its own component.
                self.components.insert(Stage::Infer, model.version.infer);
            }
            (None, _) => bail!("a {} run needs a model: name one", kind.name()),
            (Some(_), RunKind::Train) => bail!("a train run takes no model"),
        }
        if kind == RunKind::Monitor {
            self.set(Stage::Infer, "format", Value::from("arrow"))?;
            self.set(Stage::Infer, "features", Value::from(true))?;
        }
        let needed = kind.stages().iter();
        let needed = needed.chain((kind == RunKind::Train).then_some(&Stage::Infer));
        for stage in needed {
            ensure!(
                self.components.contains_key(stage),
                "there is no component for {stage}"
            );
        }
        Ok(self)
    }

    fn complete_train(&mut self) -> anyhow::Result<()> {
        let asked = [Stage::Deploy, Stage::Evaluate]
            .into_iter()
            .find_map(|stage| self.parameters.get(&stage)?.get("alias").cloned());
        let alias = asked.unwrap_or_else(|| Value::from("champion"));
        check_alias(alias.as_str().unwrap_or_default())?;
        for stage in [Stage::Evaluate, Stage::Deploy] {
            self.set(stage, "alias", alias.clone())?;
            self.set(stage, "model", Value::from(self.name.as_str()))?;
        }
        if self.tests > 0 {
            self.set(Stage::Preprocess, "split", Value::from("file"))?;
        }
        if !self.transforms.is_empty() {
            let transforms = serde_json::to_value(&self.transforms)?;
            self.set(Stage::Preprocess, "transforms", transforms)?;
        }
        Ok(())
    }

    /// Sets a parameter that can have one value only.
    pub(super) fn set(&mut self, stage: Stage, name: &str, value: Value) -> anyhow::Result<()> {
        let parameters = self.parameters.entry(stage);
        let parameters = parameters.or_insert_with(|| Value::Object(Map::new()));
        let Some(parameters) = parameters.as_object_mut() else {
            bail!("the parameters of {stage} are not a JSON object");
        };
        if let Some(there) = parameters.get(name) {
            ensure!(
                *there == value,
                "the parameter '{name}' of {stage} must be {value}, not {there}"
            );
        }
        parameters.insert(name.to_owned(), value);
        Ok(())
    }

    /// The stage's parameters as canonical JSON, with those that the host adds to a call.
    pub(super) fn parameters(
        &self,
        stage: Stage,
        added: Option<(&str, Value)>,
    ) -> anyhow::Result<String> {
        let parameters = self.parameters.get(&stage).and_then(Value::as_object);
        let mut parameters = parameters.cloned().unwrap_or_default();
        if let Some((name, value)) = added {
            parameters.insert(name.to_owned(), value);
        }
        Ok(serde_json_canonicalizer::to_string(&parameters)?)
    }

    /// The parts whose rows are split or trained on, and then those that hold test rows.
    pub fn parts(&self) -> (&[Source], &[Source]) {
        let data = self.sources.len().saturating_sub(self.tests as usize);
        self.sources.split_at_checked(data).unwrap_or_default()
    }

    /// Whether deploy was told to move the alias whatever the gate says.
    pub(super) fn is_promoted(&self) -> bool {
        let deploy = self.parameters.get(&Stage::Deploy);
        let promote = deploy.and_then(|parameters| parameters.get("promote")?.as_bool());
        promote == Some(true)
    }

    /// The alias that evaluate compares with and deploy moves.
    pub(super) fn alias(&self) -> &str {
        let deploy = self.parameters.get(&Stage::Deploy);
        let alias = deploy.and_then(|parameters| parameters.get("alias")?.as_str());
        alias.unwrap_or("champion")
    }

    /// The span that the run's own stands below; its number is 0 where that has none. A run that
    /// begins a trace has its own identifier as the trace's, which is as long.
    pub fn asked_from(&self, run: &str) -> Traceparent {
        let trace = self.trace.as_deref().unwrap_or_default();
        let alone = |trace: &str| {
            let digits = trace.len() == 32;
            let number = u128::from_str_radix(trace, 16).ok().filter(|_| digits);
            number
                .filter(|number| *number != 0)
                .map(|trace| Traceparent {
                    trace,
                    span: 0,
                    sampled: true,
                })
        };
        let own = || alone(&run.replace('-', ""));
        let asked = Traceparent::parse(trace).or_else(|| alone(trace));
        asked.or_else(own).unwrap_or(Traceparent {
            trace: 1,
            span: 0,
            sampled: false,
        })
    }

    /// Where the run's own span stands.
    pub(super) fn place(&self, run: &str) -> Place {
        Place {
            own: run_span(run),
            parent: self.asked_from(run),
            marks: vec![
                ("septet.run", run.to_owned()),
                ("septet.model", self.name.clone()),
            ],
        }
    }

    /// The stage's component.
    pub(super) fn component(&self, stage: Stage) -> anyhow::Result<Digest> {
        let component = self.components.get(&stage).copied();
        component.ok_or_else(|| anyhow::anyhow!("the run has no component for {stage}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn train() -> RunRequest {
        let artifact = Artifact {
            name: "source".to_owned(),
            digest: Digest::of(b"a,b\n"),
            size: 4,
            media_type: "text/csv".to_owned(),
        };
        let component = |stage: &Stage| (*stage, Digest::of(stage.name().as_bytes()));
        RunRequest {
            kind: RunKind::Train,
            name: "iris".to_owned(),
            sources: vec![Source {
                label: "iris.csv".to_owned(),
                artifact,
            }],
            parameters: BTreeMap::new(),
            seed: 7,
            components: Stage::ALL.iter().map(component).collect(),
            model: None,
            transforms: vec![],
            created: "2026-01-01T00:00:00.000Z".to_owned(),
            tests: 0,
            declared: None,
            pinned: Pinned::default(),
            trace: None,
        }
    }

    #[test]
    fn a_train_run_knows_its_model_and_alias() {
        let request = train().complete().unwrap();
        let evaluate = request.parameters(Stage::Evaluate, None).unwrap();
        assert_eq!(evaluate, r#"{"alias":"champion","model":"iris"}"#);
        assert_eq!(request.parameters(Stage::Ingest, None).unwrap(), "{}");
        let mut request = train();
        let alias = serde_json::json!({"alias": "shadow"});
        request.parameters.insert(Stage::Evaluate, alias);
        let request = request.complete().unwrap();
        assert_eq!(request.alias(), "shadow");
    }

    #[test]
    fn a_run_has_a_trace_whatever_it_was_asked_with() {
        let run = "01890a5d-ac96-774b-bcce-b302099a8057";
        let asked = |trace: Option<&str>| {
            let trace = trace.map(str::to_owned);
            RunRequest { trace, ..train() }.asked_from(run).to_string()
        };
        let own = "00-01890a5dac96774bbcceb302099a8057-0000000000000000-01";
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(asked(None), own);
        assert_eq!(asked(Some(parent)), parent);
        let alone = asked(Some(&parent[3..35]));
        assert_eq!(
            alone,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"
        );
        for bad in ["", "no trace", &"0".repeat(32), &parent[..40]] {
            assert_eq!(asked(Some(bad)), own, "{bad}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let with = |change: &dyn Fn(&mut RunRequest)| {
            let mut request = train();
            change(&mut request);
            request.complete().unwrap_err().to_string()
        };
        let parameters = |stage: Stage, value: Value| {
            with(&move |request| {
                request.parameters.insert(stage, value.clone());
            })
        };
        let other = serde_json::json!({"model": "other"});
        let error = parameters(Stage::Evaluate, other.clone());
        assert!(error.contains("'model' of evaluate"), "{error}");
        let error = parameters(Stage::Monitor, other);
        assert!(error.contains("no stage monitor"), "{error}");
        let error = parameters(Stage::Train, Value::Null);
        assert!(error.contains("not a JSON object"), "{error}");
        assert!(with(&|r| r.sources.clear()).contains("needs data"));
        assert!(with(&|r| r.tests = 1).contains("beside its test files"));
        assert!(with(&|r| r.kind = RunKind::Predict).contains("needs a model"));
        let error = with(&|r| r.components.retain(|stage, _| *stage != Stage::Infer));
        assert!(error.contains("no component for infer"), "{error}");
        assert!(with(&|r| r.name = "../x".to_owned()).contains("'../x'"));
    }
}
