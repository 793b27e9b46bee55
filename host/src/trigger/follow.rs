//! What follows a run of a trigger when it is done: its predictions become a file, its drift a
//! training.
//!
//! Both happen once for each run, by whichever process is first: what was done is a record, and a
//! training has its run as its cause. What is followed is known to this process only; a trigger
//! names its runs again when it starts.

mod output;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value};

pub use self::output::Output;
use super::{
    later::{Later, Said},
    wanted::{Part, Requests, Wanted},
};
use crate::{
    contract::{Digest, Stage},
    pipeline::{Pipeline, RunKind, RunState, Status},
};

/// How many runs are looked at in one go: each costs a few questions to the store.
const AT_ONCE: usize = 50;

/// The most runs that are followed at a time.
const MOST: usize = 20_000;

/// Bytes of a drift report that are read.
const MAX_REPORT: u64 = 4 << 20;

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
    /// The folder that the data are from, if they are from one.
    watched: Option<PathBuf>,
    runs: VecDeque<Followed>,
}

struct Followed {
    run: String,
    /// What it was started for, as a person knows it, and as its predictions are named.
    name: String,
    later: Later,
    /// A file that is not ours and stands where the predictions go: until it is gone nothing is
    /// tried.
    blocked: Option<PathBuf>,
}

/// What a look at a run came to.
enum Looked {
    /// Nothing is left to do.
    Done,
    /// It is not done yet.
    Early,
    /// This file is in the way.
    Blocked(PathBuf),
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
            watched: None,
            runs: VecDeque::new(),
        }
    }

    /// For data from this folder: no predictions may be written into it.
    pub(super) fn watching(mut self, folder: &Path) -> Self {
        self.watched = Some(folder.to_owned());
        self
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
            blocked: None,
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
            let blocked = next.blocked.as_deref().is_some_and(output::is_there);
            let looked = if next.later.is_due(now) && !blocked {
                Some(self.look(&next.run, &next.name).await)
            } else {
                None
            };
            let Some(mut next) = self.runs.pop_front() else {
                return;
            };
            match looked {
                Some(Ok(Looked::Done)) => continue,
                None | Some(Ok(Looked::Early)) => {}
                Some(Ok(Looked::Blocked(path))) => {
                    said.warn(&format!(
                        "{} is there, and septet did not write what it holds: move it away, and the \
                         predictions of run {} are written there; or name another output",
                        path.display(),
                        next.run
                    ));
                    next.blocked = Some(path);
                }
                Some(Err(error)) => {
                    next.later.failed(now);
                    said.warn(&format!("{}: {error:#}", next.name));
                }
            }
            self.runs.push_back(next);
        }
    }

    /// Does what follows this run, if it is done.
    async fn look(&self, run: &str, name: &str) -> anyhow::Result<Looked> {
        let record = self.output.as_ref().map(|output| {
            let path = output.path(name);
            let key = format!("{run}\0{}", path.display());
            let key = format!("written/{}", Digest::of(key.as_bytes()));
            (output, path, key)
        });
        let records = &self.pipeline.store().records;
        if let Some((_, _, key)) = &record
            && records.get(key).await?.is_some()
        {
            return Ok(Looked::Done);
        }
        let state = match self.pipeline.state(run).await {
            Ok(state) => state,
            // There is nothing any more that could follow.
            Err(_) if self.pipeline.is_forgotten(run).await? => return Ok(Looked::Done),
            Err(error) => return Err(error),
        };
        if !state.status().is_final() {
            return Ok(Looked::Early);
        }
        if state.status() != Status::Done {
            let reason = state.failure().and_then(|commit| commit.reason());
            let reason = reason.unwrap_or("no reason was given");
            let harmless = |c: char| if c.is_control() { ' ' } else { c };
            let told: String = format!("{name}: {reason}").chars().map(harmless).collect();
            tracing::warn!("run {run} was {}: {told}", state.status().name());
            return Ok(Looked::Done);
        }
        if let Some((output, path, key)) = record {
            let predictions = state.output(Stage::Infer, "predictions");
            let predictions = predictions.context("infer made no predictions")?;
            let (store, watched) = (self.pipeline.store(), self.watched.as_deref());
            if !output.write(store, predictions, &path, watched).await? {
                return Ok(Looked::Blocked(path));
            }
            // After the file: who is stopped in between writes the same bytes again.
            records.create(&key, b"{}").await?;
            tracing::info!("run {run}: {}", path.display());
        }
        if let Some(retrain) = &self.retrain {
            self.retrain(&state, retrain).await?;
        }
        Ok(Looked::Done)
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
            trace: Some(state.traceparent().to_string()),
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
