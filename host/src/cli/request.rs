//! From flags, settings and files to what a run is asked to do.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::{Digest, Stage},
    pipeline::{ModelRef, Pinned, PinnedModel, RunKind, RunRequest, Source, registry::check_model},
};
use serde_json::{Map, Value, json};

use super::{
    args::{Monitor, Predict, Run, Task},
    session::{Origin, Session},
    source,
};

/// What can be known of a train run before a store is opened.
#[derive(Debug)]
pub(crate) struct Train {
    pub(crate) name: String,
    parameters: BTreeMap<Stage, Value>,
    transforms: Vec<PathBuf>,
    seed: u64,
}

impl Train {
    /// Joins flags and settings; nothing is opened but to look whether the files are there.
    pub(crate) fn of(run: &Run, origin: &Origin) -> anyhow::Result<Self> {
        let settings = &origin.settings;
        let target = run.target.clone().or_else(|| settings.run.target.clone());
        let target = target.context("no target: name the column to predict with --target COL")?;
        for path in &run.data {
            source::check(path)?;
        }
        let name = match run.name.clone().or_else(|| settings.run.name.clone()) {
            Some(name) => name,
            None => model_name(run.data.first().map_or(Path::new(""), PathBuf::as_path)),
        };
        check_model(&name)?;
        let task = run
            .task
            .map(Task::name)
            .map(str::to_owned)
            .or_else(|| settings.run.task.clone());
        let test_share = run.test_share.or(settings.preprocess.test_share);
        if let Some(share) = test_share {
            ensure!(
                share > 0.0 && share < 1.0,
                "test_share is {share}: give a share between 0 and 1"
            );
        }
        let mut preprocess = Parameters::new();
        preprocess.set("target", Some(target));
        preprocess.set("task", task);
        preprocess.set("test_share", test_share);
        preprocess.set(
            "key",
            run.key.clone().or_else(|| settings.preprocess.key.clone()),
        );
        let mut train = Parameters::new();
        train.set(
            "algorithm",
            run.algorithm
                .clone()
                .or_else(|| settings.train.algorithm.clone()),
        );
        let algorithm = algorithm_parameters(run, origin)?;
        train.set("parameters", (!algorithm.is_empty()).then_some(algorithm));
        let mut evaluate = Parameters::new();
        evaluate.set("margin", settings.evaluate.margin);
        let mut deploy = Parameters::new();
        deploy.set("promote", run.promote.then_some(true));
        let parameters = BTreeMap::from([
            (Stage::Ingest, ingest_parameters(origin)),
            (Stage::Preprocess, preprocess.into()),
            (Stage::Train, train.into()),
            (Stage::Evaluate, evaluate.into()),
            (Stage::Deploy, deploy.into()),
        ]);
        let transforms = if run.transforms.is_empty() {
            settings.preprocess.transforms.clone()
        } else {
            run.transforms.clone()
        };
        for path in &transforms {
            source::check(path)?;
        }
        let seed = run.seed.or(settings.run.seed).unwrap_or(0);
        Ok(Self {
            name,
            parameters,
            transforms,
            seed,
        })
    }

    /// Reads the files into the store and writes down what the run is.
    pub(crate) async fn request(
        self,
        session: &Session,
        sources: Vec<Source>,
    ) -> anyhow::Result<RunRequest> {
        let mut transforms = Vec::new();
        for path in &self.transforms {
            transforms.push(add_transform(session, path).await?);
        }
        keep_components(session).await?;
        Ok(RunRequest {
            kind: RunKind::Train,
            name: self.name,
            sources,
            parameters: self.parameters,
            seed: self.seed,
            components: components(session)?,
            model: None,
            transforms,
            created: session.pipeline.timestamp(),
            tests: 0,
            declared: None,
            pinned: Pinned::default(),
        })
    }
}

/// A run that predicts the rows of `data`.
pub(crate) async fn predict(
    session: &Session,
    origin: &Origin,
    predict: &Predict,
    format: &str,
    data: &[PathBuf],
) -> anyhow::Result<RunRequest> {
    let parameters = BTreeMap::from([
        (Stage::Ingest, ingest_parameters(origin)),
        (Stage::Infer, json!({ "format": format })),
    ]);
    with_model(session, RunKind::Predict, &predict.model, parameters, data).await
}

/// A run that compares the rows of `data` with the model's training rows.
pub(crate) async fn monitor(
    session: &Session,
    origin: &Origin,
    monitor: &Monitor,
    data: &[PathBuf],
) -> anyhow::Result<RunRequest> {
    let mut parameters = Parameters::new();
    parameters.set(
        "threshold",
        monitor.threshold.or(origin.settings.monitor.threshold),
    );
    parameters.set("labels", monitor.labels.clone());
    let parameters = BTreeMap::from([
        (Stage::Ingest, ingest_parameters(origin)),
        (Stage::Monitor, parameters.into()),
    ]);
    with_model(session, RunKind::Monitor, &monitor.model, parameters, data).await
}

async fn with_model(
    session: &Session,
    kind: RunKind,
    model: &str,
    parameters: BTreeMap<Stage, Value>,
    data: &[PathBuf],
) -> anyhow::Result<RunRequest> {
    // The model comes first: where there is none, the data are not read.
    let model: ModelRef = model.parse()?;
    let version = session.pipeline.registry().resolve(&model).await?;
    let transforms = model_transforms(&version.pinned.summary);
    Ok(RunRequest {
        kind,
        name: model.name.clone(),
        sources: sources(session, data).await?,
        parameters,
        seed: 0,
        components: components(session)?,
        model: Some(PinnedModel {
            name: model.name,
            asked: model.selector.to_string(),
            version: version.pinned,
        }),
        transforms,
        created: session.pipeline.timestamp(),
        tests: 0,
        declared: None,
        pinned: Pinned::default(),
    })
}

/// The transforms that a version's rows go through, as its summary names them.
pub(crate) fn model_transforms(summary: &str) -> Vec<Digest> {
    let summary: Value = serde_json::from_str(summary).unwrap_or_default();
    let transforms = summary.get("transforms").and_then(Value::as_array);
    let digests = transforms.into_iter().flatten().filter_map(Value::as_str);
    digests.filter_map(|digest| digest.parse().ok()).collect()
}

/// A file as the only part of a dataset.
pub(crate) async fn sources(session: &Session, paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let store = session.pipeline.store();
        let artifact = source::add(store, path, "source", source::media_type(path)).await?;
        sources.push(Source {
            label: path.display().to_string(),
            artifact,
        });
    }
    Ok(sources)
}

/// Puts the components into the store: a version is predicted with the infer component that it
/// was made with, also by a septet that carries another one, and so is a run that it finds begun.
async fn keep_components(session: &Session) -> anyhow::Result<()> {
    let blobs = &session.pipeline.store().blobs;
    for digest in components(session)?.values() {
        if blobs.touch(digest).await?.is_none() {
            let bytes = session.stages.catalog().bytes(digest).await?;
            blobs.put(&bytes).await?;
        }
    }
    Ok(())
}

/// Puts a transform into the store, if it is one.
pub(crate) async fn add_transform(session: &Session, path: &Path) -> anyhow::Result<Digest> {
    let bytes = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let report = session.stages.catalog().check(bytes, None).await;
    let report = report.with_context(|| format!("{} can't be used", path.display()))?;
    ensure!(
        report.transform,
        "{} is no user transform: it must export septet:transform/transform and import nothing but wasi",
        path.display()
    );
    let store = session.pipeline.store();
    let artifact = source::add(store, path, "transform", "application/wasm").await?;
    let loaded = session
        .stages
        .catalog()
        .load_transform(&artifact.digest)
        .await;
    loaded.with_context(|| format!("{} can't be used", path.display()))?;
    Ok(artifact.digest)
}

/// All embedded components.
fn components(session: &Session) -> anyhow::Result<BTreeMap<Stage, Digest>> {
    Stage::ALL
        .into_iter()
        .map(|stage| Ok((stage, session.component(stage)?)))
        .collect()
}

fn ingest_parameters(origin: &Origin) -> Value {
    let mut ingest = Parameters::new();
    ingest.set("max_quarantine", origin.settings.ingest.max_quarantine);
    ingest.set("delimiter", origin.settings.ingest.delimiter.clone());
    ingest.into()
}

/// The settings' parameters, each replaced by the flag of the same name.
fn algorithm_parameters(run: &Run, origin: &Origin) -> anyhow::Result<Map<String, Value>> {
    let settings = &origin.settings.train.parameters;
    let mut parameters: Map<String, Value> = settings
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for parameter in &run.parameters {
        let (name, value) = source::pair(parameter, "--param", "K=V")?;
        parameters.insert(name.to_owned(), source::value(value));
    }
    Ok(parameters)
}

/// A model's name from a file's: its letters and digits, and what stands between them.
fn model_name(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = stem
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(64)
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "model".to_owned()
    } else {
        name.to_owned()
    }
}

/// A JSON object of those parameters that are set.
struct Parameters(Map<String, Value>);

impl Parameters {
    fn new() -> Self {
        Self(Map::new())
    }

    fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }
}

impl From<Parameters> for Value {
    fn from(parameters: Parameters) -> Self {
        Self::Object(parameters.0)
    }
}

/// The format of predictions that a file's name asks for.
pub(crate) fn format_of(path: &Path) -> anyhow::Result<&'static str> {
    match source::ending(source::media_type(path)) {
        "csv" | "bin" => Ok("csv"),
        "arrow" => Ok("arrow"),
        other => bail!(
            "{}: predictions are written as .csv or .arrow, not {other}",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_after_its_file() {
        assert_eq!(model_name(Path::new("/data/penguins.csv")), "penguins");
        assert_eq!(model_name(Path::new("my sales (2).csv")), "my-sales--2");
        assert_eq!(model_name(Path::new("...")), "model");
    }

    #[test]
    fn formats_by_name() {
        assert_eq!(format_of(Path::new("x.csv")).unwrap(), "csv");
        assert_eq!(format_of(Path::new("x")).unwrap(), "csv");
        assert_eq!(format_of(Path::new("x.feather")).unwrap(), "arrow");
        assert!(format_of(Path::new("x.json")).is_err());
    }
}
