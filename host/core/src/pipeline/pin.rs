//! What the name of a model decides of a run: the schema that its parts are held to, the split that
//! its own is built on, and the files that hold its test rows.
//!
//! All of it is looked up once, when the run is created, and written into its request: the run
//! depends on nothing that changes meanwhile.

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{
    record,
    registry::{ModelState, Version},
    run::{MAX_SOURCES, Pinned, RunKind, RunRequest, Source},
    state::run_key,
    view::Pipeline,
};
use crate::contract::{Artifact, Digest, Stage};

/// The largest schema that is read, in bytes: what the components take at most.
const MAX_SCHEMA: u64 = 4 << 20;

/// How many of the newest versions are looked through for one that the same request made.
const LOOK: usize = 100;

/// All that the host knows of a schema: the rest of it is the components'.
#[derive(Deserialize)]
struct Declared {
    #[serde(default)]
    declared: bool,
}

impl Pipeline {
    /// Fills in what the model's name decides.
    pub(super) async fn pin(&self, request: &mut RunRequest) -> anyhow::Result<()> {
        let model = self.registry().state(&request.name).await?;
        // New rows need not have the target, or any column that the model does not use: infer
        // holds them to the model's own signature.
        if request.kind != RunKind::Train {
            return Ok(());
        }
        let schema = model.schema();
        if let (None, Some(schema)) = (&request.declared, schema)
            && self.is_declared(schema).await?
        {
            request.declared = Some(schema.clone());
        }
        hold_tests(request, &model)?;
        request.pinned = Pinned {
            // The first run is held to what was declared, and so pins it.
            schema: schema.or(request.declared.as_ref()).cloned(),
            split: model.split().cloned(),
            ..request.pinned
        };
        if let Some(twin) = self.twin(request, &model).await? {
            request.pinned.schema = twin.schema;
            request.pinned.split = twin.split;
        }
        Ok(())
    }

    /// Whether a schema was declared by a user, and not found by ingest.
    async fn is_declared(&self, schema: &Artifact) -> anyhow::Result<bool> {
        let bytes = self.store.blobs.get(&schema.digest, MAX_SCHEMA).await?;
        let read: Declared =
            serde_json::from_slice(&bytes).context("the model's schema can't be read")?;
        Ok(read.declared)
    }

    /// What the run of a version began with that was asked for the very same, so that the same
    /// run again does nothing again. It counts only as long as the version's schema and split are
    /// those that are in force: after one of them has changed, the same run is other work.
    async fn twin(
        &self,
        request: &RunRequest,
        model: &ModelState,
    ) -> anyhow::Result<Option<Pinned>> {
        let digest = |artifact: Option<&Artifact>| artifact.map(|artifact| artifact.digest);
        let schema = digest(model.schema());
        let split = digest(model.split());
        let same_split = |version: &&Version| digest(version.split.as_ref()) == split;
        let versions = model.versions.iter().rev().take(LOOK);
        for version in versions.filter(same_split) {
            let key = run_key(&version.run);
            // A record that can't be read is no reason to refuse another run.
            let other = record::get(self.store.records.as_ref(), &key).await;
            let other: Option<RunRequest> = other.unwrap_or_default();
            let Some(other) = other.filter(|other| is_same(other, request)) else {
                continue;
            };
            let began = digest(other.pinned.schema.as_ref());
            if schema == began || schema == digest(version.schema.as_ref()) {
                return Ok(Some(other.pinned));
            }
        }
        Ok(None)
    }
}

/// Whether two requests ask for the same, whatever their files are called.
fn is_same(one: &RunRequest, other: &RunRequest) -> bool {
    let bare = |request: &RunRequest| {
        let mut bare = request.clone();
        bare.created.clear();
        bare.trace = None;
        bare.pinned = Pinned::default();
        for source in &mut bare.sources {
            source.label.clear();
        }
        bare
    };
    // As they are written: a parameter 1.0 is read back as 1.
    let written = [one, other].map(|request| record::encode(&bare(request)).ok());
    matches!(written, [Some(one), Some(other)] if one == other)
}

/// The test files belong to the model's name: a run need not name them again, and can't name
/// others.
fn hold_tests(request: &mut RunRequest, model: &ModelState) -> anyhow::Result<()> {
    let name = &model.name;
    let pinned = model.tests();
    let given = request.parts().1;
    if pinned.is_empty() {
        ensure!(
            given.is_empty() || model.split().is_none(),
            "the split of model '{name}' was fixed by its first version, without test files: leave \
             --test out, or give the model another name with --name"
        );
        return Ok(());
    }
    let digests = |sources: &[Source]| {
        let mut digests: Vec<Digest> = sources.iter().map(|s| s.artifact.digest).collect();
        digests.sort_unstable();
        digests
    };
    if !given.is_empty() {
        let labels: Vec<&str> = pinned.iter().map(|source| source.label.as_str()).collect();
        ensure!(
            digests(given) == digests(pinned),
            "the test files of model '{name}' were fixed by its first version ({}), and these are \
             others: leave --test out, or give the model another name with --name",
            labels.join(", ")
        );
        let data = request.parts().0.len();
        request.sources.truncate(data);
    }
    request.sources.extend_from_slice(pinned);
    request.tests = pinned.len() as u32;
    ensure!(
        request.sources.len() <= MAX_SOURCES,
        "a dataset has at most {MAX_SOURCES} parts, its test files included; these are {}",
        request.sources.len()
    );
    let split = serde_json::Value::from("file");
    request.set(Stage::Preprocess, "split", split)
}
