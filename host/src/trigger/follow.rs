//! What follows a run of a trigger when it is done: its predictions become a file, its drift a
//! training.
//!
//! Both happen once for each run, by whichever process is first: what was done is a record, and a
//! training has its run as its cause. What is followed is known to this process only; a trigger
//! names its runs again when it starts.

use std::{
    collections::VecDeque,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value};

use super::{
    later::{Later, Said},
    wanted::{Part, Requests, Wanted},
};
use crate::{
    contract::{Digest, Stage},
    pipeline::{Pipeline, RunKind, RunState, Status},
    store::Target,
};

/// How many runs are looked at in one go: each costs a few questions to the store.
const AT_ONCE: usize = 50;

/// The most runs that are followed at a time.
const MOST: usize = 20_000;

/// Bytes of a drift report that are read.
const MAX_REPORT: u64 = 4 << 20;

/// Where predictions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// A folder; it is made where only it is missing.
    pub folder: PathBuf,
    /// How the files' names end: as their format does.
    pub ending: String,
}

/// How a model is trained when its data have drifted.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrain {
    /// Files, folders and patterns, looked at when it is needed.
    pub data: Vec<PathBuf>,
    /// The flags of `septet run`.
    pub options: Map<String, Value>,
}

/// A trigger's runs that are not done yet.
pub(super) struct Follow {
    pipeline: Pipeline,
    requests: Arc<dyn Requests>,
    output: Option<Output>,
    retrain: Option<Retrain>,
    runs: VecDeque<Followed>,
}

struct Followed {
    run: String,
    /// What it was started for, as a person knows it, and as its predictions are named.
    name: String,
    later: Later,
}

impl Follow {
    pub(super) const fn new(
        pipeline: Pipeline,
        requests: Arc<dyn Requests>,
        output: Option<Output>,
        retrain: Option<Retrain>,
    ) -> Self {
        Self {
            pipeline,
            requests,
            output,
            retrain,
            runs: VecDeque::new(),
        }
    }

    /// Follows a run, in the place of an earlier one for the same name that would write the same
    /// file.
    pub(super) fn add(&mut self, run: String, name: String) {
        if self.output.is_none() && self.retrain.is_none() {
            return;
        }
        if self.output.is_some() {
            self.runs.retain(|followed| followed.name != name);
        }
        if self.runs.len() >= MOST {
            tracing::warn!("more than {MOST} runs are not done: the oldest is not followed");
            self.runs.pop_front();
        }
        self.runs.push_back(Followed {
            run,
            name,
            later: Later::default(),
        });
    }

    /// Whether there is no run to follow.
    pub(super) fn is_idle(&self) -> bool {
        self.runs.is_empty()
    }

    /// Does what follows those runs that are done.
    pub(super) async fn step(&mut self, now: u64, said: &mut Said) {
        for _ in 0..self.runs.len().min(AT_ONCE) {
            // It stays in front while it is worked on: a stop must not lose it half way.
            let Some(next) = self.runs.front() else {
                return;
            };
            let done = if next.later.is_due(now) {
                self.look(&next.run, &next.name).await
            } else {
                Ok(false)
            };
            let Some(mut next) = self.runs.pop_front() else {
                return;
            };
            match done {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    next.later.failed(now);
                    said.warn(&format!("{}: {error:#}", next.name));
                }
            }
            self.runs.push_back(next);
        }
    }

    /// Whether nothing is left to do after this run.
    async fn look(&self, run: &str, name: &str) -> anyhow::Result<bool> {
        let record = self.output.as_ref().map(|output| {
            let path = output.path(name);
            let key = format!("{run}\0{}", path.display());
            (path, format!("written/{}", Digest::of(key.as_bytes())))
        });
        let records = &self.pipeline.store().records;
        if let Some((_, key)) = &record
            && records.get(key).await?.is_some()
        {
            return Ok(true);
        }
        let state = self.pipeline.state(run).await?;
        if !state.status().is_final() {
            return Ok(false);
        }
        if state.status() != Status::Done {
            let reason = state.failure().and_then(|commit| commit.reason());
            let reason = reason.unwrap_or("no reason was given");
            let harmless = |c: char| if c.is_control() { ' ' } else { c };
            let told: String = format!("{name}: {reason}").chars().map(harmless).collect();
            tracing::warn!("run {run} was {}: {told}", state.status().name());
            return Ok(true);
        }
        if let Some((path, key)) = record {
            self.write(&state, &path).await?;
            // After the file: who is stopped in between writes the same bytes again.
            records.create(&key, b"{}").await?;
            tracing::info!("run {run}: {}", path.display());
        }
        if let Some(retrain) = &self.retrain {
            self.retrain(&state, retrain).await?;
        }
        Ok(true)
    }

    async fn write(&self, state: &RunState, path: &Path) -> anyhow::Result<()> {
        let predictions = state.output(Stage::Infer, "predictions");
        let predictions = predictions.context("infer made no predictions")?;
        if let Some(folder) = path.parent() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    let shown = folder.display();
                    return Err(error).with_context(|| format!("{shown} can't be made"));
                }
                _ => {}
            }
        }
        let target = Target::new(path)?;
        let blobs = self.pipeline.store().blobs.as_ref();
        target.fill(blobs, &predictions.digest).await
    }

    /// Starts a training if the report says that the data have drifted. Of the report nothing
    /// else is read: what drift is, is the stage's matter.
    async fn retrain(&self, state: &RunState, retrain: &Retrain) -> anyhow::Result<()> {
        let report = self
            .pipeline
            .artifact(state, Stage::Monitor, "drift", MAX_REPORT);
        let report: Value = serde_json::from_slice(&report.await?.1)
            .with_context(|| format!("the report of run {} is no JSON", state.id))?;
        let cause = format!("drift:{}", state.id);
        let drifted = report.get("drifted").and_then(Value::as_bool) == Some(true);
        if !drifted || self.pipeline.started(&cause).await?.is_some() {
            return Ok(());
        }
        let wanted = Wanted {
            kind: RunKind::Train,
            model: Some(state.request.name.clone()),
            data: retrain.data.iter().cloned().map(Part::Path).collect(),
            options: retrain.options.clone(),
            trace: Some(state.request.trace(&state.id)),
        };
        let request = self.requests.request(wanted).await;
        let request = request.context("the data drifted, but the training can't be started")?;
        ensure!(request.kind == RunKind::Train, "it is no training");
        let (run, new) = self.pipeline.start_once(&cause, request).await?;
        if new {
            let name = &state.request.name;
            tracing::info!("the data of {name} drifted (run {}): run {run}", state.id);
        }
        Ok(())
    }
}

impl Output {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{}", self.ending))
    }
}
