//! Reads what is new of the log and appends to it. To create the next entry is the
//! compare-and-swap: who comes second reads again and decides again.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, bail, ensure};

use super::{
    event::{Admitted, ArmKind, Entry, Event, Promotion, Reversal, Swap, Trial, Withdrawal, chain},
    percent::Percent,
    state::{InForce, StageState},
    trusted::{Accepted, Own},
};
use crate::{
    contract::{Digest, Stage},
    pipeline::chain::Head,
    store::{Blobs, Clock, Records, Store},
    trust::{MAX_SIGNATURE, Trust},
};

/// How often a change is tried against others that are faster.
const PATIENCE: usize = 100;

/// The longest reason of a person, in characters.
const MAX_REASON: usize = 1000;

/// The longest report of an entry, in bytes.
const MAX_REPORT: usize = 64 << 10;

/// The log of the stages. A clone has read as much of it.
#[derive(Clone)]
pub struct Swaps {
    pub(super) records: Arc<dyn Records>,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) trust: Arc<Trust>,
    pub(super) accepted: Accepted,
    pub(super) own: Own,
    known: Arc<Mutex<Arc<InForce>>>,
    refused: Arc<AtomicU64>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is the entry of the log with this number.
    Done(u64),
    /// It is so already.
    Already,
}

/// What a rollback has undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// What was tried is tried no more; what was in force still is.
    Withdrawn {
        /// How it was tried.
        arm: ArmKind,
        /// What was tried.
        component: Digest,
    },
    /// What was in force before is again; none stands for the built-in component.
    Back {
        /// What was in force.
        from: Option<Digest>,
        /// What is.
        to: Option<Digest>,
    },
}

/// A change that a decision came to, or what there is instead.
pub(super) enum Decision<T> {
    Append(Event, T),
    Leave(T),
}

impl Swaps {
    pub(in crate::pipeline) fn new(
        store: &Store,
        clock: Arc<dyn Clock>,
        trust: Arc<Trust>,
    ) -> Self {
        Self {
            records: Arc::clone(&store.records),
            blobs: Arc::clone(&store.blobs),
            clock,
            trust,
            accepted: Accepted::default(),
            own: Own::default(),
            known: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// The log of a process to which these components are its own.
    #[must_use]
    pub(in crate::pipeline) fn with_own(self, own: Own) -> Self {
        Self { own, ..self }
    }

    pub(in crate::pipeline) fn own(&self) -> Own {
        self.own.clone()
    }

    /// What this process takes.
    pub const fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// All stages as they are. Only what is new of the log is read.
    pub async fn all(&self) -> anyhow::Result<Arc<InForce>> {
        let known = self.last();
        let (entries, head) = chain().read::<Event>(&*self.records, known.head).await?;
        if entries.is_empty() {
            return Ok(known);
        }
        let mut next = InForce::clone(&known);
        for entry in &entries {
            let applied = next.apply(entry);
            applied.with_context(|| chain().broken(entry.seq))?;
        }
        next.head = head;
        let next = Arc::new(next);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have read farther meanwhile.
        if known.head.seq < next.head.seq {
            *known = Arc::clone(&next);
        }
        Ok(next)
    }

    /// All stages as they were when the log was read last: nothing is read now.
    pub fn last(&self) -> Arc<InForce> {
        let known = self.known.lock();
        Arc::clone(&known.unwrap_or_else(PoisonError::into_inner))
    }

    /// The stage as it is.
    pub async fn state(&self, stage: Stage) -> anyhow::Result<Arc<StageState>> {
        Ok(self.all().await?.stage(stage))
    }

    /// The whole log, its links checked.
    pub async fn log(&self) -> anyhow::Result<Vec<Entry>> {
        let (entries, _) = chain().read(&*self.records, Head::default()).await?;
        Ok(entries)
    }

    /// Reads the whole log and folds it: an error says where it is damaged.
    pub(in crate::pipeline) async fn whole(&self) -> anyhow::Result<()> {
        let mut all = InForce::default();
        for entry in &self.log().await? {
            let applied = all.apply(entry);
            applied.with_context(|| chain().broken(entry.seq))?;
        }
        Ok(())
    }

    /// Puts a component into force; none for the built-in one. Its bytes must be in the store. What
    /// was tried is tried no more.
    pub async fn swap(
        &self,
        stage: Stage,
        component: Option<&Admitted>,
        who: &str,
    ) -> anyhow::Result<Changed> {
        component.map(bounded).transpose()?;
        self.change(stage, who, |state| {
            let digest = component.map(|component| component.component);
            let alone = state.canary.is_none() && state.shadow.is_none();
            if state.current == digest && alone {
                return Ok(Decision::Leave(Changed::Already));
            }
            let component = component.cloned();
            let event = Event::Swapped(Swap { stage, component });
            Ok(Decision::Append(event, Changed::Already))
        })
        .await
        .map(|(seq, _)| seq.map_or(Changed::Already, Changed::Done))
    }

    /// Tries a component on a share of the calls, in the place of what was tried in this way before.
    /// Its bytes must be in the store.
    pub async fn attempt(
        &self,
        kind: ArmKind,
        (stage, component): (Stage, &Admitted),
        percent: Percent,
        who: &str,
    ) -> anyhow::Result<Changed> {
        bounded(component)?;
        self.change(stage, who, |state| {
            ensure!(
                state.current != Some(component.component),
                "{} is in force for {stage}: there is nothing to try",
                component.component.short()
            );
            let same =
                |arm: &super::Arm| arm.component == component.component && arm.percent == percent;
            if state.arm(kind).is_some_and(same) {
                return Ok(Decision::Leave(()));
            }
            let trial = Trial {
                stage,
                component: component.clone(),
                percent,
            };
            let event = match kind {
                ArmKind::Canary => Event::Canary(trial),
                ArmKind::Shadow => Event::Shadow(trial),
            };
            Ok(Decision::Append(event, ()))
        })
        .await
        .map(|(seq, ())| seq.map_or(Changed::Already, Changed::Done))
    }

    /// Puts into force what is tried: the canary, or where there is none the shadow, whatever it has
    /// answered. Gives it. See `Pipeline::promote`.
    pub async fn promote(&self, stage: Stage, who: &str, reason: &str) -> anyhow::Result<Digest> {
        self.promote_only(stage, None, (who, reason)).await
    }

    /// As `promote`; where it is not what the entry `only` of the log began, nothing is changed.
    pub(in crate::pipeline) async fn promote_only(
        &self,
        stage: Stage,
        only: Option<u64>,
        (who, reason): (&str, &str),
    ) -> anyhow::Result<Digest> {
        let reason = clipped(reason);
        let promoted = self.change(stage, who, |state| {
            let arm = state.to_promote()?;
            ensure!(
                only.is_none_or(|only| arm.revision == only),
                "{stage} was changed by another in this moment: look at it, and try again"
            );
            let component = arm.component;
            let event = Event::Promoted(Promotion {
                stage,
                component,
                reason: reason.clone(),
            });
            Ok(Decision::Append(event, component))
        });
        Ok(promoted.await?.1)
    }

    /// Undoes the last change: a canary is withdrawn; where there is none, what was in force before
    /// is again, once more one farther back; where there is nothing before, a shadow is withdrawn.
    pub async fn rollback(&self, stage: Stage, who: &str, reason: &str) -> anyhow::Result<Undone> {
        let reason = clipped(reason);
        let undone = self.change(stage, who, |state| {
            if state.canary.is_some() {
                let (event, undone) = withdrawal(state, ArmKind::Canary, &reason)?;
                return Ok(Decision::Append(event, undone));
            }
            let Some(to) = state.previous() else {
                if state.shadow.is_some() {
                    let (event, undone) = withdrawal(state, ArmKind::Shadow, &reason)?;
                    return Ok(Decision::Append(event, undone));
                }
                bail!("{stage} has nothing to roll back to: it is what it was at first");
            };
            let from = state.current;
            let event = Event::RolledBack(Reversal {
                stage,
                from,
                to,
                reason: reason.clone(),
            });
            Ok(Decision::Append(event, Undone::Back { from, to }))
        });
        Ok(undone.await?.1)
    }

    /// Withdraws what is tried, if it is still what the entry `revision` began; false where it is not.
    pub async fn withdraw(
        &self,
        (stage, kind): (Stage, ArmKind),
        revision: u64,
        who: &str,
        reason: &str,
    ) -> anyhow::Result<bool> {
        let reason = clipped(reason);
        let (_, done) = self
            .change(stage, who, |state| match state.arm(kind) {
                Some(arm) if arm.revision == revision => {
                    let (event, _) = withdrawal(state, kind, &reason)?;
                    Ok(Decision::Append(event, true))
                }
                _ => Ok(Decision::Leave(false)),
            })
            .await?;
        Ok(done)
    }

    /// Appends what `decide` comes to, deciding again whenever another was faster; gives the number
    /// of the entry, if there is one.
    pub(super) async fn change<T: Send>(
        &self,
        stage: Stage,
        who: &str,
        decide: impl Fn(&StageState) -> anyhow::Result<Decision<T>> + Send + Sync,
    ) -> anyhow::Result<(Option<u64>, T)> {
        for _ in 0..PATIENCE {
            let all = self.all().await?;
            let (event, answer) = match decide(&all.stage(stage))? {
                Decision::Leave(answer) => return Ok((None, answer)),
                Decision::Append(event, answer) => (event, answer),
            };
            let entry = (self.clock.timestamp(), who, event);
            let appended = chain().append(&*self.records, all.head, entry).await?;
            if let Some(entry) = appended {
                // So that whoever asks this process next need not wait for a look. The change is made,
                // whether that can be read now or not.
                if let Err(error) = self.all().await {
                    tracing::warn!("the log of the stages can't be read: {error:#}");
                }
                return Ok((Some(entry.seq), answer));
            }
        }
        bail!("the stages are changed by others all the time: try again later")
    }

    /// Counts a refusal, and says how many there were before.
    pub(super) fn counted(&self) -> u64 {
        self.refused.fetch_add(1, Ordering::Relaxed)
    }
}

fn withdrawal(state: &StageState, kind: ArmKind, reason: &str) -> anyhow::Result<(Event, Undone)> {
    let arm = state.arm(kind).context("nothing is tried")?;
    let component = arm.component;
    let event = Event::Withdrawn(Withdrawal {
        stage: state.stage,
        arm: kind,
        component,
        revision: arm.revision,
        reason: reason.to_owned(),
    });
    let undone = Undone::Withdrawn {
        arm: kind,
        component,
    };
    Ok((event, undone))
}

/// One entry of the log must stay small, whatever was sent.
pub(super) fn bounded(component: &Admitted) -> anyhow::Result<()> {
    let signature = component.signature.as_deref().unwrap_or_default();
    ensure!(
        signature.len() <= MAX_SIGNATURE,
        "the signature is too long"
    );
    ensure!(
        component.report.len() <= MAX_REPORT,
        "the report is too long"
    );
    Ok(())
}

/// A person's reason, bounded.
fn clipped(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}
