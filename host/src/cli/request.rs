//! From flags, settings and files to what a run with a model is asked to do, and what all runs
//! have in common.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use septet::{
    contract::{Digest, Stage},
    pipeline::{Addition, ModelRef, Pinned, PinnedModel, RunKind, RunRequest, Source},
    stage::{NotAdmitted, TransformReport},
    trust::Signed,
};
use serde_json::{Value, json};

use super::{
    args::{Format, Monitor, Predict},
    data::Data,
    parameters::Parameters,
    sample,
    session::{Origin, Session},
    source,
};
use crate::config::files;

/// A run that predicts the rows of `data`.
pub(crate) async fn predict(
    session: &Session,
    origin: &Origin,
    predict: &Predict,
    format: Format,
    data: &Data,
) -> anyhow::Result<RunRequest> {
    let parameters = BTreeMap::from([
        (Stage::Ingest, ingest_parameters(origin)),
        (Stage::Infer, json!({ "format": format.name() })),
    ]);
    with_model(session, RunKind::Predict, &predict.model, parameters, data).await
}

/// A run that compares the rows of `data` with the model's training rows.
pub(crate) async fn monitor(
    session: &Session,
    origin: &Origin,
    monitor: &Monitor,
    data: &Data,
) -> anyhow::Result<RunRequest> {
    let mut parameters = Parameters::new();
    parameters.set(
        "threshold",
        monitor.threshold.or(origin.settings.monitor.threshold),
    );
    let least = monitor.min_rows.or(origin.settings.monitor.min_rows);
    parameters.set("min_rows", least);
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
    data: &Data,
) -> anyhow::Result<RunRequest> {
    // The model comes first: where there is none, the data are not read.
    let model: ModelRef = model.parse()?;
    let version = session.pipeline.registry().resolve(&model).await?;
    keep_components(session).await?;
    let transforms = version.pinned.transforms();
    Ok(RunRequest {
        kind,
        name: model.name.clone(),
        sources: data.sources(session).await?,
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
        trace: None,
    })
}

/// Files as the parts of a dataset.
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
pub(crate) async fn keep_components(session: &Session) -> anyhow::Result<()> {
    let blobs = &session.pipeline.store().blobs;
    for digest in components(session)?.values() {
        if blobs.touch(digest).await?.is_none() {
            let bytes = session.stages.catalog().bytes(digest).await?;
            blobs.put(&bytes).await?;
        }
    }
    Ok(())
}

/// A transform by what a user wrote: a component's file, or a name that the store knows.
pub(crate) async fn transform(session: &Session, text: &str) -> anyhow::Result<Digest> {
    if files::is_file(text) {
        return add_transform(session, Path::new(text)).await;
    }
    let asked = text.parse()?;
    let version = session.pipeline.transforms().find(&asked).await?;
    let Addition {
        component,
        signature,
        ..
    } = version.addition.as_ref();
    // Another process may have added it, under other settings than this one's.
    let catalog = session.stages.catalog();
    if !session.trust.takes_all() {
        let bytes = catalog.bytes(component).await?;
        let signed = session.trust.check(&bytes, signature.as_deref());
        signed.map_err(|problem| anyhow::anyhow!("the transform '{text}': {problem}"))?;
    }
    let loaded = catalog.load_transform(component).await;
    loaded.with_context(|| format!("the transform '{text}' can't be used"))?;
    Ok(*component)
}

/// Puts a transform into the store, if it is one that keeps its contract.
pub(crate) async fn add_transform(session: &Session, path: &Path) -> anyhow::Result<Digest> {
    let (report, _) = admit(session, path, None).await?;
    Ok(report.component)
}

/// Puts a component's file into the store and tries it as a transform, on the rows of `sample` or on
/// rows made up from what it needs. Nothing of it is compiled or run before its signature was looked
/// at; who it is by comes with the report, where it is signed.
pub(crate) async fn admit(
    session: &Session,
    path: &Path,
    sample: Option<&Path>,
) -> anyhow::Result<(TransformReport, Option<Signed>)> {
    let shown = path.display();
    let artifact = source::add_component(session, path, "transform").await?;
    let signed = session.trusts(path, &artifact.digest).await?;
    let rows = match sample {
        Some(sample) => Some(sample::read(session, sample).await?),
        None => None,
    };
    let admitted = session.stages.admit_transform(&artifact.digest, rows).await;
    let admitted = admitted.map_err(|error| match error {
        NotAdmitted::Refused(reason) => anyhow::anyhow!("{shown} is not taken: {reason}"),
        NotAdmitted::Load(error) => anyhow::anyhow!("{shown} can't be used: {error}"),
        NotAdmitted::Host(error) => error.context(format!("{shown} could not be tried")),
    });
    Ok((admitted?, signed))
}

/// All embedded components.
pub(crate) fn components(session: &Session) -> anyhow::Result<BTreeMap<Stage, Digest>> {
    Stage::ALL
        .into_iter()
        .map(|stage| Ok((stage, session.component(stage)?)))
        .collect()
}

pub(crate) fn ingest_parameters(origin: &Origin) -> Value {
    let mut ingest = Parameters::new();
    ingest.set("max_quarantine", origin.settings.ingest.max_quarantine);
    ingest.set("delimiter", origin.settings.ingest.delimiter.clone());
    ingest.set("format", origin.settings.ingest.format.clone());
    ingest.into()
}

/// A model's name from a file's: its letters and digits, and what stands between them.
pub(crate) fn model_name(path: &Path) -> String {
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

/// The format of predictions that a file's name asks for.
pub(crate) fn format_of(path: &Path) -> anyhow::Result<Format> {
    match source::ending(source::media_type(path)) {
        "csv" | "bin" => Ok(Format::Csv),
        "jsonl" => Ok(Format::Jsonl),
        "parquet" => Ok(Format::Parquet),
        "arrow" => Ok(Format::Arrow),
        other => bail!(
            "{}: predictions are written as .csv, .jsonl, .parquet or .arrow, not {other}",
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
        assert_eq!(format_of(Path::new("x.csv")).unwrap(), Format::Csv);
        assert_eq!(format_of(Path::new("x")).unwrap(), Format::Csv);
        assert_eq!(
            format_of(Path::new("x.ndjson")).unwrap().name(),
            "json-lines"
        );
        assert_eq!(format_of(Path::new("x.feather")).unwrap(), Format::Arrow);
        assert_eq!(format_of(Path::new("x.parquet")).unwrap(), Format::Parquet);
        assert!(format_of(Path::new("x.json")).is_err());
    }
}
