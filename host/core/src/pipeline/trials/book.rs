//! Adds up what all processes have seen of a trial, and ends a canary that is worse.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{
    compared::Compared,
    own::{Own, Trial},
    tally::Observed,
    tolerance::Tolerance,
    verdict::Bounds,
};
use crate::{
    contract::{Digest, Stage},
    pipeline::{
        record,
        swaps::{ArmKind, StageState, Swaps},
    },
    store::{Entry, Records},
};

/// Who rolls back, in the log.
const WHO: &str = "septet";

/// Processes whose records are added up; more than that, and the newest are left out.
const MOST: usize = 10_000;

/// What was seen of the components that are tried. A clone is the same.
#[derive(Clone)]
pub struct Trials {
    records: Arc<dyn Records>,
    swaps: Swaps,
    bounds: Bounds,
    tolerance: Arc<Tolerance>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Which process this is.
    process: String,
    canaries: Mutex<Own<Observed>>,
    shadows: Mutex<Own<Compared>>,
    /// Held by whoever writes: two would write the same twice.
    writing: tokio::sync::Mutex<()>,
    /// Held while a shadow is at something.
    mirror: Arc<Semaphore>,
    /// Until when nothing is tried, because what is tried can't be read: an app that has no right to it
    /// must not ask, and fail, with every call.
    deaf: Mutex<Option<Instant>>,
}

/// How long what can't be read is not asked for again.
const DEAF: Duration = Duration::from_mins(10);

impl Trials {
    pub(in crate::pipeline) fn new(
        records: Arc<dyn Records>,
        swaps: Swaps,
        (bounds, tolerance): (Bounds, Arc<Tolerance>),
    ) -> Self {
        Self {
            records,
            swaps,
            bounds,
            tolerance,
            shared: Arc::new(Shared {
                process: Uuid::now_v7().to_string(),
                canaries: Mutex::default(),
                shadows: Mutex::default(),
                writing: tokio::sync::Mutex::default(),
                mirror: Arc::new(Semaphore::new(1)),
                deaf: Mutex::default(),
            }),
        }
    }

    /// From where on a canary is worse.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What counts as the same answer.
    pub const fn tolerance(&self) -> &Arc<Tolerance> {
        &self.tolerance
    }

    /// The stage as it is, for what is tried; none where that can't be read.
    pub(super) async fn state(&self, stage: Stage) -> Option<Arc<StageState>> {
        let deaf = || {
            self.shared
                .deaf
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if deaf().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match self.swaps.state(stage).await {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(
                    "the log of the stages can't be read, so canaries and shadows are left alone for {} \
                     minutes: {error:#}",
                    DEAF.as_secs() / 60
                );
                *deaf() = Some(Instant::now() + DEAF);
                None
            }
        }
    }

    /// Takes note of a call of `component` while a canary is tried: how long it took, or none where it
    /// failed. False where it is neither the canary's nor one to hold it against.
    pub fn note(&self, state: &StageState, component: &Digest, took: Option<Duration>) -> bool {
        let Some(arm) = &state.canary else {
            return false;
        };
        let canary = arm.component == *component;
        // What is neither was in force before the trial began.
        let control = match &state.current {
            Some(current) => current == component,
            None => !state.has_admitted(component),
        };
        if canary || control {
            self.canaries(|own| {
                own.note((state.stage, arm.revision), |seen| {
                    let side = if canary {
                        &mut seen.canary
                    } else {
                        &mut seen.control
                    };
                    side.note(took);
                });
            });
        }
        canary || control
    }

    /// Takes note of what a shadow did, that the entry `revision` of the log began.
    pub fn compare(&self, stage: Stage, revision: u64, note: impl FnOnce(&mut Compared)) {
        self.shadows(|own| own.note((stage, revision), note));
    }

    /// The place of the one shadow that may be at something in this process; none where it is taken.
    pub fn mirror(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.mirror).try_acquire_owned().ok()
    }

    /// As `mirror`, but the place is waited for.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.mirror).acquire_owned().await.ok()
    }

    /// Writes down what this process has seen, adds up what all have, and rolls back a canary that is
    /// worse than what is in force.
    pub async fn flush(&self) -> anyhow::Result<()> {
        let _writing = self.shared.writing.lock().await;
        let canaries = self.canaries(|own| own.trials());
        let shadows = self.shadows(|own| own.trials());
        if canaries.is_empty() && shadows.is_empty() {
            return Ok(());
        }
        let all = self.swaps.all().await?;
        for trial in shadows {
            if !is_on(&all.stage(trial.0), ArmKind::Shadow, trial.1) {
                self.shadows(|own| own.forget(trial));
                self.sweep(&prefix(ArmKind::Shadow, trial)).await?;
            } else if let Some((seen, number)) = self.shadows(|own| own.due(trial)) {
                let written = self.write(ArmKind::Shadow, trial, (&seen, number)).await;
                if written.is_err() {
                    self.shadows(|own| own.put_off(trial));
                }
                written?;
            }
        }
        for trial in canaries {
            if !is_on(&all.stage(trial.0), ArmKind::Canary, trial.1) {
                self.canaries(|own| own.forget(trial));
                self.sweep(&prefix(ArmKind::Canary, trial)).await?;
            } else if let Some((seen, number)) = self.canaries(|own| own.due(trial)) {
                let written = self.write(ArmKind::Canary, trial, (&seen, number)).await;
                if written.is_err() {
                    self.canaries(|own| own.put_off(trial));
                }
                written?;
                self.judge(trial).await?;
            }
        }
        Ok(())
    }

    /// What all processes have seen of the canary that is tried for a stage; none where none is.
    pub async fn observed(&self, stage: Stage) -> anyhow::Result<Option<Observed>> {
        let state = self.swaps.state(stage).await?;
        let Some(arm) = &state.canary else {
            return Ok(None);
        };
        let seen = self.sum((ArmKind::Canary, (stage, arm.revision)), Observed::add);
        seen.await.map(Some)
    }

    /// What all processes have compared of the shadow that is tried for a stage; none where none is.
    pub async fn compared(&self, stage: Stage) -> anyhow::Result<Option<Compared>> {
        let state = self.swaps.state(stage).await?;
        let Some(arm) = &state.shadow else {
            return Ok(None);
        };
        let seen = self.sum((ArmKind::Shadow, (stage, arm.revision)), Compared::add);
        seen.await.map(Some)
    }

    /// Deletes what is left of trials that have ended: of processes that saw nothing more since.
    pub(in crate::pipeline) async fn tidy(&self) -> anyhow::Result<()> {
        for kind in [ArmKind::Canary, ArmKind::Shadow] {
            let there = self.records.list(kept(kind), None, MOST).await?;
            if there.is_empty() {
                continue;
            }
            let all = self.swaps.all().await?;
            for Entry { key, .. } in there {
                let trial = trial_of(kind, &key);
                if trial.is_none_or(|(stage, entry)| !is_on(&all.stage(stage), kind, entry)) {
                    self.records.delete(&key).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends a canary that is worse. Who comes second finds it ended.
    async fn judge(&self, trial: Trial) -> anyhow::Result<()> {
        let seen = self.sum((ArmKind::Canary, trial), Observed::add).await?;
        let Some(why) = self.bounds.worse(&seen) else {
            return Ok(());
        };
        let (stage, revision) = trial;
        let kind = (stage, ArmKind::Canary);
        if self.swaps.withdraw(kind, revision, WHO, &why).await? {
            tracing::warn!("the canary of {stage} is rolled back: {why}");
        }
        self.canaries(|own| own.forget(trial));
        self.sweep(&prefix(ArmKind::Canary, trial)).await
    }

    /// Writes the next record of this process, and takes the one before away.
    async fn write<T: Serialize>(
        &self,
        kind: ArmKind,
        trial: Trial,
        (seen, number): (&T, u64),
    ) -> anyhow::Result<()> {
        let own = |number: u64| {
            let (prefix, process) = (prefix(kind, trial), &self.shared.process);
            format!("{prefix}{process}-{number:08}")
        };
        let value = record::encode(seen)?;
        let created = self.records.create(&own(number), &value).await;
        created.context("what was seen of a trial can't be written")?;
        if number > 1 {
            self.records.delete(&own(number - 1)).await?;
        }
        Ok(())
    }

    /// What all processes have written of a trial: of each the newest.
    async fn sum<T: Default + DeserializeOwned>(
        &self,
        (kind, trial): (ArmKind, Trial),
        add: impl Fn(&mut T, &T),
    ) -> anyhow::Result<T> {
        let prefix = prefix(kind, trial);
        let entries = self.records.list(&prefix, None, MOST).await?;
        let mut newest: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in &entries {
            let name = entry.key.strip_prefix(&prefix).unwrap_or_default();
            // In order, so that of each process the newest comes last.
            if let Some((process, _)) = name.rsplit_once('-') {
                newest.insert(process, entry);
            }
        }
        let mut sum = T::default();
        for entry in newest.values() {
            add(&mut sum, &record::decode(&entry.key, &entry.value)?);
        }
        Ok(sum)
    }

    async fn sweep(&self, prefix: &str) -> anyhow::Result<()> {
        for entry in self.records.list(prefix, None, MOST).await? {
            self.records.delete(&entry.key).await?;
        }
        Ok(())
    }

    fn canaries<R>(&self, with: impl FnOnce(&mut Own<Observed>) -> R) -> R {
        let own = self.shared.canaries.lock();
        with(&mut own.unwrap_or_else(PoisonError::into_inner))
    }

    fn shadows<R>(&self, with: impl FnOnce(&mut Own<Compared>) -> R) -> R {
        let own = self.shared.shadows.lock();
        with(&mut own.unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_on(state: &StageState, kind: ArmKind, revision: u64) -> bool {
    state.arm(kind).is_some_and(|arm| arm.revision == revision)
}

const fn kept(kind: ArmKind) -> &'static str {
    match kind {
        ArmKind::Canary => "canaries/",
        ArmKind::Shadow => "shadows/",
    }
}

fn prefix(kind: ArmKind, (stage, revision): Trial) -> String {
    format!("{}{stage}/{revision:08}/", kept(kind))
}

fn trial_of(kind: ArmKind, key: &str) -> Option<Trial> {
    let mut parts = key.strip_prefix(kept(kind))?.split('/');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
