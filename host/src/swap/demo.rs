//! The demo's data, taken through the built-in stages in memory: what a component is tried on where
//! the store has no calls of its stage yet.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{
    contract::{Artifact, Digest, Stage},
    pipeline::{
        Pinned, PinnedModel, Pipeline, RunKind, RunRequest, RunState, Silent, Source, Status,
    },
    stage::StageExecutor,
    store::{Store, memory},
    trigger::Once,
};

/// Small and real; where it comes from is in `host/demo/README.md`.
const TRAIN: &str = include_str!("../../demo/penguins.csv");
const NEW: &str = include_str!("../../demo/penguins-2009.csv");

const MODEL: &str = "penguins";
const TARGET: &str = "sex";

/// The demo's runs, in memory: a training, and a comparison that predicts.
pub(super) async fn demo(stages: &StageExecutor) -> anyhow::Result<Pipeline> {
    let store = memory();
    let pipeline = Pipeline::new(store.clone());
    // The stages' calls read and write there; the embedded components need no store.
    let stages = Arc::new(stages.over(Arc::clone(&store.blobs)));
    let components = |stage: Stage| {
        let embedded = stages.catalog().embedded(stage);
        let embedded = embedded.with_context(|| format!("there is no built-in {stage}"))?;
        Ok((stage, embedded))
    };
    let components = Stage::ALL.into_iter().map(components);
    let components: BTreeMap<Stage, Digest> = components.collect::<anyhow::Result<_>>()?;
    let once = Once::new(pipeline.clone(), Arc::clone(&stages), Arc::new(Silent));
    let request = |kind, source| RunRequest {
        kind,
        name: MODEL.to_owned(),
        sources: vec![source],
        parameters: BTreeMap::new(),
        seed: 0,
        components: components.clone(),
        model: None,
        transforms: Vec::new(),
        created: pipeline.timestamp(),
        tests: 0,
        declared: None,
        pinned: Pinned::default(),
        trace: None,
    };
    let parameters = BTreeMap::from([
        (Stage::Preprocess, json!({ "target": TARGET })),
        // One algorithm and not the best of many: the stage is tried, not the birds.
        (Stage::Train, json!({ "algorithm": "logistic-regression" })),
        (Stage::Deploy, json!({ "promote": true })),
    ]);
    let train = RunRequest {
        parameters,
        ..request(RunKind::Train, source(&store, "penguins.csv", TRAIN).await?)
    };
    done(&once.run(train).await?)?;
    let version = pipeline.registry().resolve(&MODEL.parse()?).await?;
    let monitor = RunRequest {
        model: Some(PinnedModel {
            name: MODEL.to_owned(),
            asked: "champion".to_owned(),
            version: version.pinned,
        }),
        ..request(
            RunKind::Monitor,
            source(&store, "penguins-2009.csv", NEW).await?,
        )
    };
    done(&once.run(monitor).await?)?;
    Ok(pipeline)
}

fn done(state: &RunState) -> anyhow::Result<()> {
    let why = state.failure().and_then(|failed| failed.reason());
    ensure!(
        state.status() == Status::Done,
        "the demo's data can't be taken through the built-in stages: {}",
        why.unwrap_or("no reason was given")
    );
    Ok(())
}

async fn source(store: &Store, label: &str, text: &str) -> anyhow::Result<Source> {
    Ok(Source {
        label: label.to_owned(),
        artifact: Artifact {
            name: "source".to_owned(),
            digest: store.blobs.put(text.as_bytes()).await?,
            size: text.len() as u64,
            media_type: "text/csv".to_owned(),
        },
    })
}
