//! A run as a person or a program wants to see it.

use serde::Serialize;

use super::{
    commit::{Commit, Ending},
    plan::MAX_ROUNDS,
    publish::{AliasResult, Change},
    state::{RunState, Status},
};
use crate::contract::{Artifact, Digest, Metric, Stage};

/// One run in a list.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// The run's identifier.
    pub id: String,
    /// What it is for.
    pub kind: &'static str,
    /// The model's name.
    pub model: String,
    /// Where it is.
    pub status: Status,
    /// RFC 3339, UTC.
    pub created: String,
    /// The paths as the user gave them.
    pub sources: Vec<String>,
    /// Wall clock of all stages together.
    pub seconds: f64,
    /// Why it came to nothing, where it did.
    pub reason: Option<String>,
}

impl RunSummary {
    pub(super) fn of(run: &RunState) -> Self {
        let request = &run.request;
        let sources = request.sources.iter();
        Self {
            id: run.id.clone(),
            kind: request.kind.name(),
            model: request.name.clone(),
            status: run.status(),
            created: request.created.clone(),
            sources: sources.map(|source| source.label.clone()).collect(),
            seconds: run.commits().map(|commit| commit.seconds).sum(),
            reason: run.failure().and_then(Commit::reason).map(str::to_owned),
        }
    }
}

/// One unit of one stage of a run.
#[derive(Clone, Debug, Serialize)]
pub struct StageRow {
    /// The stage.
    pub stage: Stage,
    /// Which of the stage's calls.
    pub unit: u32,
    /// The component that runs it.
    pub component: Option<Digest>,
    /// `pending`, `ok`, `rejected`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Whether the outcome of another run was reused.
    pub cached: bool,
    /// Wall clock.
    pub seconds: f64,
    /// The most linear memory the component had; 0 where nothing was executed.
    pub peak_memory_bytes: u64,
    /// The last attempt's number; 0 where there was none.
    pub attempt: u32,
    /// Figures.
    pub metrics: Vec<Metric>,
    /// The stage's and the host's sentences.
    pub notes: Vec<String>,
    /// What it made.
    pub outputs: Vec<Artifact>,
    /// Why it came to nothing, where it did.
    pub reason: Option<String>,
}

impl StageRow {
    /// A row for each unit that was committed, and one for each stage that is still to come.
    pub(super) fn all(run: &RunState) -> Vec<Self> {
        let mut rows = Vec::new();
        for &stage in run.request.kind.stages() {
            let of_stage = run.commits().filter(|c| c.invocation.stage == stage);
            let done = rows.len();
            rows.extend(of_stage.map(|commit| Self::of(run, commit)));
            let units = match stage {
                Stage::Ingest => run.request.sources.len(),
                _ => 1,
            };
            for unit in 0..units as u32 {
                if run.commit(stage, unit).is_none() {
                    rows.push(Self::pending(run, stage, unit));
                }
            }
            if let Some(rows) = rows.get_mut(done..) {
                rows.sort_by_key(|row| row.unit);
            }
        }
        rows
    }

    fn pending(run: &RunState, stage: Stage, unit: u32) -> Self {
        Self {
            stage,
            unit,
            component: run.request.components.get(&stage).copied(),
            status: "pending",
            cached: false,
            seconds: 0.0,
            peak_memory_bytes: 0,
            attempt: 0,
            metrics: Vec::new(),
            notes: Vec::new(),
            outputs: Vec::new(),
            reason: None,
        }
    }

    fn of(run: &RunState, commit: &Commit) -> Self {
        let invocation = &commit.invocation;
        let outcome = commit.outcome().cloned().unwrap_or_default();
        let mut notes = outcome.notes;
        notes.extend(run.change(invocation).and_then(move_note));
        Self {
            component: Some(commit.component),
            status: match commit.ending {
                Ending::Ok(_) => "ok",
                Ending::Rejected { .. } => "rejected",
                Ending::Failed { .. } => "failed",
                Ending::Cancelled { .. } => "cancelled",
            },
            cached: commit.cached.is_some(),
            seconds: commit.seconds,
            peak_memory_bytes: commit.peak_memory_bytes,
            attempt: commit.attempt,
            metrics: outcome.metrics,
            notes,
            outputs: outcome.outputs,
            reason: commit.reason().map(str::to_owned),
            ..Self::pending(run, invocation.stage, invocation.unit)
        }
    }
}

/// Says why the alias does not point where the stage proposed, and what follows.
fn move_note(change: &Change) -> Option<String> {
    let Change { model, version, .. } = change;
    let (alias, current) = match change.alias.as_ref()? {
        (_, AliasResult::Set) => return None,
        (alias, AliasResult::Barred) => {
            return Some(format!(
                "version {version} was rolled back, and no run makes it {alias} again: promote \
                 it with `septet models promote {model}@{version}`"
            ));
        }
        (alias, AliasResult::Lost { current }) => (alias, current),
    };
    let now = current.map_or("not set".to_owned(), |number| format!("version {number}"));
    let next = match change.invocation.unit + 1 {
        MAX_ROUNDS => format!("it stays there: {MAX_ROUNDS} evaluations were overtaken"),
        _ => "the candidate was evaluated again".to_owned(),
    };
    Some(format!(
        "the {alias} was moved meanwhile (it is {now}); {next}"
    ))
}
