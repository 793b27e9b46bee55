//! The pipeline over a store: what there is of runs is looked at here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, bail};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    commit::Commit,
    record,
    registry::Registry,
    report::{RunSummary, StageRow},
    roots::walk_after,
    run::RunRequest,
    standing::Standing,
    state::{RunState, run_key},
    swaps::{Own, Swaps},
    trace::{Traces, Untraced},
    transforms::Transforms,
    trials::{Bounds, Tolerance, Trials},
};
use crate::{
    contract::{Artifact, Stage},
    store::{Clock, Store, SystemClock},
    trust::Trust,
};

/// Runs, their records and their queues in one store. A clone is the same pipeline.
#[derive(Clone)]
pub struct Pipeline {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    requests: Arc<Mutex<Requests>>,
    /// Told when something was sent, for those in this process who wait for it.
    pub(super) sent: Arc<watch::Sender<u64>>,
    pub(super) traces: Arc<dyn Traces>,
    swaps: Arc<Swaps>,
    trials: Trials,
    standing: Arc<Standing>,
}

/// The requests of some runs, the one read last first.
type Requests = VecDeque<(String, Arc<RunRequest>)>;

/// What the beginning of an identifier leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The one run.
    One(String),
    /// No run begins so.
    None,
    /// More than one run does.
    Several,
}

/// How many requests of runs are kept at hand.
const AT_HAND: usize = 8;

impl Pipeline {
    /// The pipeline over `store`.
    pub fn new(store: Store) -> Self {
        Self::with_clock(store, Arc::new(SystemClock))
    }

    /// The pipeline over `store`, on another clock than the machine's.
    pub fn with_clock(store: Store, clock: Arc<dyn Clock>) -> Self {
        let swaps = Swaps::new(&store, Arc::clone(&clock), Arc::default());
        let records = Arc::clone(&store.records);
        Self {
            trials: Trials::new(records, swaps.clone(), Default::default()),
            store,
            clock,
            swaps: Arc::new(swaps),
            requests: Arc::default(),
            sent: Arc::default(),
            traces: Untraced::shared(),
            standing: Arc::default(),
        }
    }

    /// The pipeline of a process whose settings have these external stages.
    #[must_use]
    pub fn with_standing(self, standing: Standing) -> Self {
        Self {
            standing: Arc::new(standing),
            ..self
        }
    }

    /// The external stages of the settings.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The pipeline, with somebody who is told where its spans stand.
    #[must_use]
    pub fn traced(self, traces: Arc<dyn Traces>) -> Self {
        Self { traces, ..self }
    }

    /// The pipeline of a process that takes these components only in the place of built-in ones.
    #[must_use]
    pub fn trusting(self, trust: Arc<Trust>) -> Self {
        let swaps = Swaps::new(&self.store, Arc::clone(&self.clock), trust);
        let swaps = swaps.with_own(self.swaps.own());
        let (bounds, tolerance) = self.judged();
        Self {
            swaps: Arc::new(swaps),
            ..self
        }
        .trying(bounds, tolerance)
    }

    /// The pipeline of a process to which these components are its own: they came with it, or its
    /// settings name them, and no signature is asked of them.
    #[must_use]
    pub fn owning(self, own: Own) -> Self {
        let swaps = Swaps::clone(&self.swaps).with_own(own);
        let (bounds, tolerance) = self.judged();
        Self {
            swaps: Arc::new(swaps),
            ..self
        }
        .trying(bounds, tolerance)
    }

    /// The pipeline of a process that rolls a canary back from these bounds on.
    #[must_use]
    pub fn judging(self, bounds: Bounds) -> Self {
        let (_, tolerance) = self.judged();
        self.trying(bounds, tolerance)
    }

    /// The pipeline of a process that compares a shadow's answers so.
    #[must_use]
    pub fn comparing(self, tolerance: Tolerance) -> Self {
        let (bounds, _) = self.judged();
        self.trying(bounds, Arc::new(tolerance))
    }

    fn judged(&self) -> (Bounds, Arc<Tolerance>) {
        (self.trials.bounds(), Arc::clone(self.trials.tolerance()))
    }

    fn trying(self, bounds: Bounds, tolerance: Arc<Tolerance>) -> Self {
        let records = Arc::clone(&self.store.records);
        let swaps = Swaps::clone(&self.swaps);
        let trials = Trials::new(records, swaps, (bounds, tolerance));
        Self { trials, ..self }
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Its clock.
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time as a request needs it.
    pub fn timestamp(&self) -> String {
        self.clock.timestamp()
    }

    /// The registry of models.
    pub fn registry(&self) -> Registry {
        Registry::new(Arc::clone(&self.store.records), Arc::clone(&self.clock))
    }

    /// Which component of each stage is in force.
    pub fn swaps(&self) -> &Swaps {
        &self.swaps
    }

    /// The names of users' transforms.
    pub fn transforms(&self) -> Transforms {
        Transforms::new(Arc::clone(&self.store.records), Arc::clone(&self.clock))
    }

    /// What is seen of components that are tried.
    pub const fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Writes something small and takes it away again: fails where the store can't be written.
    pub async fn probe(&self) -> anyhow::Result<()> {
        self.store.blobs.put(b"probe").await?;
        let key = format!("probe/{}", Uuid::now_v7());
        self.store.records.create(&key, b"{}").await?;
        self.store.records.delete(&key).await
    }

    /// Whether no run is unfinished.
    pub async fn is_idle(&self) -> anyhow::Result<bool> {
        let active = self.store.records.list("active/", None, 1).await?;
        Ok(active.is_empty())
    }

    /// Changes with every message that this process sends: for those who wait for work.
    pub fn sent(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    /// The run with this identifier.
    pub async fn state(&self, run: &str) -> anyhow::Result<RunState> {
        let request = self.request(run).await?;
        let request = request.with_context(|| format!("there is no run {run}"))?;
        RunState::load(self.store.records.as_ref(), run, request).await
    }

    /// What a run was asked to do. It never changes, and so the last ones are kept at hand.
    pub(super) async fn request(&self, run: &str) -> anyhow::Result<Option<Arc<RunRequest>>> {
        let requests = || self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, request)) = requests().iter().find(|(id, _)| id == run) {
            return Ok(Some(Arc::clone(request)));
        }
        let request = record::get(self.store.records.as_ref(), &run_key(run)).await?;
        let request: Option<Arc<RunRequest>> = request.map(Arc::new);
        if let Some(request) = &request {
            let mut requests = requests();
            requests.push_front((run.to_owned(), Arc::clone(request)));
            requests.truncate(AT_HAND);
        }
        Ok(request)
    }

    /// What a run was asked to do is not to be kept at hand any more.
    pub(super) fn let_go(&self, run: &str) {
        let requests = self.requests.lock();
        let mut requests = requests.unwrap_or_else(PoisonError::into_inner);
        requests.retain(|(id, _)| id != run);
    }

    /// The identifier of the one run that begins with `beginning`.
    pub async fn find(&self, beginning: &str) -> anyhow::Result<String> {
        let shown = beginning.chars().take(80).collect::<String>();
        let shown = shown.escape_debug();
        match self.look_up(beginning).await? {
            Found::One(run) => Ok(run),
            Found::None => bail!("there is no run '{shown}'"),
            Found::Several => bail!("more than one run begins with '{shown}': give more of it"),
        }
    }

    /// The runs that begin with `beginning`. An error is the store's.
    pub async fn look_up(&self, beginning: &str) -> anyhow::Result<Found> {
        let fits = |b: u8| b.is_ascii_hexdigit() || b == b'-';
        if beginning.len() > 36 || !beginning.bytes().all(fits) {
            return Ok(Found::None);
        }
        let prefix = run_key(beginning);
        let found = self.store.records.list(&prefix, None, 2).await?;
        Ok(match found.as_slice() {
            [] => Found::None,
            [one] => Found::One(one.key.trim_start_matches("runs/").to_owned()),
            _ => Found::Several,
        })
    }

    /// The newest runs, the last one first.
    pub async fn runs(&self, limit: usize) -> anyhow::Result<Vec<RunSummary>> {
        let mut runs = Vec::new();
        for id in &self.newest(limit).await? {
            // A run that a newer septet wrote, say, must not hide the others.
            match self.state(id).await {
                Ok(state) => runs.push(RunSummary::of(&state)),
                Err(error) => tracing::warn!("run {id} can't be read: {error:#}"),
            }
        }
        Ok(runs)
    }

    /// The identifiers of the newest runs, the last one first.
    ///
    /// They begin with the time, and records are listed forwards only: those since an hour ago are
    /// looked at, then those since 16, and so on until there are enough. What it takes grows with
    /// `limit` and with how unevenly runs come, and not with all runs there are.
    pub(super) async fn newest(&self, limit: usize) -> anyhow::Result<VecDeque<String>> {
        let records = self.store.records.as_ref();
        let mut span = 3_600_000_u64;
        loop {
            let from = self.clock.now().saturating_sub(span);
            let beginning = format!("{:08x}-{:04x}", from >> 16, from & 0xffff);
            let after = (from > 0).then(|| run_key(&beginning));
            let mut ids = VecDeque::new();
            walk_after(records, "runs/", after, |entry| {
                ids.push_front(entry.key.trim_start_matches("runs/").to_owned());
                ids.truncate(limit);
                Ok(())
            })
            .await?;
            if ids.len() >= limit || from == 0 {
                return Ok(ids);
            }
            span = span.saturating_mul(16);
        }
    }

    /// What is known of each stage of a run, in order.
    pub async fn rows(&self, run: &str) -> anyhow::Result<Vec<StageRow>> {
        Ok(StageRow::all(&self.state(run).await?))
    }

    /// Reads an output of a run's stage of at most `limit` bytes.
    pub async fn artifact(
        &self,
        run: &RunState,
        stage: Stage,
        name: &str,
        limit: u64,
    ) -> anyhow::Result<(Artifact, Vec<u8>)> {
        let artifact = run.output(stage, name);
        let artifact = artifact
            .with_context(|| format!("run {} has no artifact '{name}' of {stage}", run.id))?;
        let bytes = self.store.blobs.get(&artifact.digest, limit).await?;
        Ok((artifact.clone(), bytes))
    }

    /// How often each stage called each capability, over all runs: what was executed counts.
    pub async fn usage(&self) -> anyhow::Result<BTreeMap<Stage, BTreeMap<String, u64>>> {
        let records = self.store.records.as_ref();
        let mut usage: BTreeMap<Stage, BTreeMap<String, u64>> = BTreeMap::new();
        walk_after(records, "commits/", None, |entry| {
            let commit: Commit = record::decode(&entry.key, &entry.value)?;
            let stage = usage.entry(commit.invocation.stage).or_default();
            for (capability, count) in commit.used {
                *stage.entry(capability).or_default() += count;
            }
            Ok(())
        })
        .await?;
        Ok(usage)
    }
}
