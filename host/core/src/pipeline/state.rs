//! A run folded from its records. There is no document of a run that would change.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    commit::{Commit, Ending},
    invocation::Invocation,
    plan,
    publish::Change,
    record,
    run::RunRequest,
    trace::{Traceparent, run_span},
};
use crate::{
    contract::{Artifact, Stage},
    store::Records,
};

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing of it is done.
    Pending,
    /// Some of it is done.
    Running,
    /// All of it is done.
    Done,
    /// Its input can never work.
    Rejected,
    /// A stage failed at its last attempt.
    Failed,
    /// Somebody ended it before it was done.
    Cancelled,
}

impl Status {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run and all that is done of it.
#[derive(Clone, Debug)]
pub struct RunState {
    /// The run's identifier.
    pub id: String,
    /// What was asked for.
    pub request: Arc<RunRequest>,
    /// How many replays it has had.
    pub(super) epoch: u32,
    slots: BTreeMap<(Stage, u32), Slot>,
    changes: BTreeMap<Invocation, Change>,
}

/// What counts of one unit of one stage: the highest replay.
#[derive(Clone, Debug, Default)]
struct Slot {
    replay: u32,
    commit: Option<Commit>,
}

/// The keys under which a run is found.
pub(super) fn run_key(run: &str) -> String {
    format!("runs/{run}")
}

/// The key that is there as long as the run is not finished.
pub(super) fn active_key(run: &str) -> String {
    format!("active/{run}")
}

impl RunState {
    /// A run of which nothing is done.
    pub(super) const fn new(id: String, request: Arc<RunRequest>) -> Self {
        Self {
            id,
            request,
            epoch: 0,
            slots: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }

    /// Reads all that was done of a run.
    pub(super) async fn load(
        records: &dyn Records,
        id: &str,
        request: Arc<RunRequest>,
    ) -> anyhow::Result<Self> {
        let mut state = Self::new(id.to_owned(), request);
        // In this order: what is seen of the later ones is never behind the earlier ones.
        let commits: Vec<Commit> = record::all(records, &format!("commits/{id}/")).await?;
        let changes: Vec<Change> = record::all(records, &format!("changes/{id}/")).await?;
        let reopened: Vec<Invocation> = record::all(records, &format!("reopened/{id}/")).await?;
        for commit in commits {
            state.add_commit(commit);
        }
        for change in changes {
            state.add_change(change);
        }
        for invocation in reopened {
            state.reopen(&invocation);
        }
        Ok(state)
    }

    pub(super) fn add_commit(&mut self, commit: Commit) {
        let Invocation {
            stage,
            unit,
            replay,
            ..
        } = commit.invocation;
        let slot = self.slots.entry((stage, unit)).or_default();
        if replay >= slot.replay {
            slot.replay = replay;
            slot.commit = Some(commit);
        }
    }

    /// What the registry refused came to nothing, although the stage did what it could.
    pub(super) fn add_change(&mut self, change: Change) {
        if let Some(reason) = &change.refused {
            let commits = self.slots.values_mut().filter_map(|s| s.commit.as_mut());
            let commit = commits
                .into_iter()
                .find(|commit| commit.invocation == change.invocation);
            if let Some(commit) = commit {
                commit.ending = Ending::Rejected {
                    reason: reason.clone(),
                };
            }
        }
        self.changes.insert(change.invocation.clone(), change);
    }

    pub(super) fn reopen(&mut self, invocation: &Invocation) {
        self.epoch += 1;
        let slot = self.slots.entry((invocation.stage, invocation.unit));
        let slot = slot.or_default();
        if invocation.replay > slot.replay {
            slot.replay = invocation.replay;
            slot.commit = None;
        }
    }

    /// The invocation of a unit that counts.
    pub(super) fn invocation(&self, stage: Stage, unit: u32) -> Invocation {
        let slot = self.slots.get(&(stage, unit));
        Invocation {
            replay: slot.map_or(0, |slot| slot.replay),
            ..Invocation::new(&self.id, stage, unit)
        }
    }

    /// The commit of a unit that counts.
    pub fn commit(&self, stage: Stage, unit: u32) -> Option<&Commit> {
        self.slots.get(&(stage, unit))?.commit.as_ref()
    }

    /// The commits that count, in order of stages and units.
    pub fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.slots.values().filter_map(|slot| slot.commit.as_ref())
    }

    /// The last commit of a stage: for evaluate and deploy that of the last round.
    pub fn last_commit(&self, stage: Stage) -> Option<&Commit> {
        self.commits()
            .filter(|c| c.invocation.stage == stage)
            .last()
    }

    /// What a commit's proposals did to the registry, once that is known.
    pub fn change(&self, invocation: &Invocation) -> Option<&Change> {
        self.changes.get(invocation)
    }

    /// An output of a stage, of its last unit.
    pub fn output(&self, stage: Stage, name: &str) -> Option<&Artifact> {
        self.last_commit(stage)?.output(name)
    }

    /// The commit that ended the run without a result.
    pub fn failure(&self) -> Option<&Commit> {
        self.commits().find(|commit| commit.outcome().is_none())
    }

    /// The span that what is due now follows from: of what was committed last, or the run's own.
    /// It is the same whoever asks, as long as nothing more is committed.
    pub(super) fn cause(&self) -> u64 {
        let last = self.commits().max_by_key(|commit| &commit.finished);
        let span = last.and_then(Commit::span);
        span.unwrap_or_else(|| run_span(&self.id))
    }

    /// The span that the run's last commit was made in: what follows from the run stands below it.
    pub fn traceparent(&self) -> Traceparent {
        self.request.asked_from(&self.id).at(self.cause())
    }

    /// Where the run is.
    pub fn status(&self) -> Status {
        match self.failure().map(|commit| &commit.ending) {
            Some(Ending::Rejected { .. }) => Status::Rejected,
            Some(Ending::Failed { .. }) => Status::Failed,
            Some(Ending::Cancelled { .. }) => Status::Cancelled,
            _ if plan::plan(self).complete => Status::Done,
            _ if self.commits().next().is_none() => Status::Pending,
            _ => Status::Running,
        }
    }
}
