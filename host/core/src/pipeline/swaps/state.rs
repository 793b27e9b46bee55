//! The log folded: which component of each stage is in force, what is tried, and what a call is given.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, ensure};

use super::{
    event::{Admitted, ArmKind, Entry, Event, Promotion, Reversal, Swap, Trial, Withdrawal},
    percent::Percent,
};
use crate::{
    contract::{Digest, PinnedVersion, Stage},
    pipeline::chain::Head,
};

/// A component that is tried on a share of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Which component.
    pub component: Digest,
    /// How many of the calls.
    pub percent: Percent,
    /// The entry of the log that began it.
    pub revision: u64,
}

impl Arm {
    /// Whether the call with this key is within the share: the same key always is or never is.
    pub fn takes(&self, key: &[u8]) -> bool {
        self.percent.takes(self.revision, key)
    }
}

/// A stage as it is after an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageState {
    /// Which stage.
    pub stage: Stage,
    /// The last entry of the log that is about it; 0 where none is.
    pub revision: u64,
    /// The component in force; none for the built-in one of whoever runs it, which for infer is the
    /// model's own.
    pub current: Option<Digest>,
    /// What answers a share of the calls.
    pub canary: Option<Arm>,
    /// What is given copies of a share of them.
    pub shadow: Option<Arm>,
    /// What was in force before each change that was not rolled back, the last one last.
    before: Vec<Option<Digest>>,
    /// Every component that the log has ever brought in.
    admitted: BTreeMap<Digest, Arc<Admitted>>,
}

impl StageState {
    fn new(stage: Stage) -> Self {
        Self {
            stage,
            revision: 0,
            current: None,
            canary: None,
            shadow: None,
            before: Vec::new(),
            admitted: BTreeMap::new(),
        }
    }

    /// The component for the call with this key: the canary's for its share, else the one in force;
    /// none for the built-in one. The same key is given the same one as long as the stage is not
    /// changed.
    pub fn route(&self, key: &[u8]) -> Option<Digest> {
        match &self.canary {
            Some(arm) if arm.takes(key) => Some(arm.component),
            _ => self.current,
        }
    }

    /// The infer component for a version, where `builtin` is that of this septet: as `route`, and where no
    /// other is in force, the version's own. An ONNX model is read by its own component alone.
    pub fn predictor(&self, version: &PinnedVersion, builtin: Digest, key: &[u8]) -> Digest {
        match &self.canary {
            Some(arm) if arm.takes(key) && !version.is_onnx() => arm.component,
            _ => self.settled(version, builtin),
        }
    }

    /// As `predictor`, without the canary.
    ///
    /// A version that was trained while another infer component was in force has that one as its
    /// own. When it is in force no more, because it was rolled back, say, that version must not go on
    /// with it alone: what a swap has brought counts only as long as the log says so.
    pub fn settled(&self, version: &PinnedVersion, builtin: Digest) -> Digest {
        let current = self.current.filter(|_| !version.is_onnx());
        current.unwrap_or_else(|| self.own(version, builtin))
    }

    /// The version's own component, or the built-in one where the version's own came by a swap.
    pub fn own(&self, version: &PinnedVersion, builtin: Digest) -> Digest {
        let admitted = self.admitted(&version.infer);
        // What a program had built in was not brought by a swap, though it may have been a shadow.
        if admitted.is_some_and(|admitted| admitted.wished.is_none()) {
            builtin
        } else {
            version.infer
        }
    }

    /// Whether the log has ever brought this component in, in force or to try it.
    pub fn has_admitted(&self, component: &Digest) -> bool {
        self.admitted.contains_key(component)
    }

    /// What is known of a component that the log has brought in.
    pub fn admitted(&self, component: &Digest) -> Option<&Arc<Admitted>> {
        self.admitted.get(component)
    }

    /// What a rollback goes to, the outer none where there is nothing before.
    pub fn previous(&self) -> Option<Option<Digest>> {
        self.before.last().copied()
    }

    /// What is tried in this way.
    pub const fn arm(&self, kind: ArmKind) -> Option<&Arm> {
        match kind {
            ArmKind::Canary => self.canary.as_ref(),
            ArmKind::Shadow => self.shadow.as_ref(),
        }
    }

    /// What a promotion puts into force: the canary, or where there is none the shadow.
    pub(in crate::pipeline) fn to_promote(&self) -> anyhow::Result<&Arm> {
        let stage = self.stage;
        let arm = self.canary.as_ref().or(self.shadow.as_ref());
        arm.with_context(|| {
            format!(
                "{stage} has no canary and no shadow to promote: begin one with `septet stages swap \
                 {stage} FILE --canary 10%`"
            )
        })
    }

    /// A change of what is in force ends what was tried: it was compared with something else.
    fn set(&mut self, component: Option<Digest>) {
        self.current = component;
        self.canary = None;
        self.shadow = None;
    }

    fn advance(&mut self, component: Option<Digest>) {
        if self.current != component {
            self.before.push(self.current);
        }
        self.set(component);
    }

    fn admit(&mut self, admitted: &Admitted) -> Digest {
        let entry = self.admitted.entry(admitted.component);
        // The newest signature counts: the one before may be by a key that is trusted no more.
        entry.insert_entry(Arc::new(admitted.clone()));
        admitted.component
    }

    fn apply(&mut self, entry: &Entry) -> anyhow::Result<()> {
        self.revision = entry.seq;
        let arm = |trial: &Trial| Arm {
            component: trial.component.component,
            percent: trial.percent,
            revision: entry.seq,
        };
        match &entry.event {
            Event::Swapped(Swap { component, .. }) => {
                let component = component.as_ref().map(|component| self.admit(component));
                self.advance(component);
            }
            Event::Canary(trial) => {
                self.admit(&trial.component);
                self.canary = Some(arm(trial));
            }
            Event::Shadow(trial) => {
                self.admit(&trial.component);
                self.shadow = Some(arm(trial));
            }
            Event::Promoted(Promotion { component, .. }) => {
                let is_tried = |kind| {
                    let arm: Option<&Arm> = self.arm(kind);
                    arm.is_some_and(|arm| arm.component == *component)
                };
                let tried = is_tried(ArmKind::Canary) || is_tried(ArmKind::Shadow);
                ensure!(tried, "what it promotes was not tried");
                self.advance(Some(*component));
            }
            Event::RolledBack(Reversal { from, to, .. }) => {
                ensure!(self.current == *from, "another component was in force");
                let last = self.before.pop().context("there was none before")?;
                ensure!(last == *to, "the rollback is to another component");
                self.set(*to);
            }
            Event::Withdrawn(Withdrawal { arm, revision, .. }) => {
                let there = self.arm(*arm).map(|there| there.revision);
                ensure!(there == Some(*revision), "what it withdraws was not tried");
                match arm {
                    ArmKind::Canary => self.canary = None,
                    ArmKind::Shadow => self.shadow = None,
                }
            }
        }
        Ok(())
    }
}

/// All stages as they are after an entry of the log.
#[derive(Clone, Debug)]
pub struct InForce {
    stages: [Arc<StageState>; Stage::ALL.len()],
    pub(super) head: Head,
}

impl Default for InForce {
    fn default() -> Self {
        Self {
            stages: Stage::ALL.map(|stage| Arc::new(StageState::new(stage))),
            head: Head::default(),
        }
    }
}

impl InForce {
    /// The stage.
    pub fn stage(&self, stage: Stage) -> Arc<StageState> {
        let mut stages = self.stages.iter();
        let found = stages.find(|state| state.stage == stage);
        found.map_or_else(|| Arc::new(StageState::new(stage)), Arc::clone)
    }

    /// All stages, in order.
    pub fn stages(&self) -> impl Iterator<Item = &StageState> {
        self.stages.iter().map(Arc::as_ref)
    }

    /// How many entries the log has: it changes with every change of any stage.
    pub const fn revision(&self) -> u64 {
        self.head.seq
    }

    /// Folds one more entry in, whose link has been checked.
    pub(super) fn apply(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let stage = entry.event.stage();
        let mut stages = self.stages.iter_mut();
        let state = stages.find(|state| state.stage == stage);
        let state = state.context("there is no such stage")?;
        Arc::make_mut(state).apply(entry)
    }
}

#[cfg(test)]
mod tests;
