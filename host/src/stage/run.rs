//! Runs calls of stages.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use septet_kit::table::Table;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

use super::{
    Catalog, Compiler, Control, EarlyEnd, Embedded, Engines, Grants, Inert, Limits, LoadError,
    NativeCache, NotAdmitted, PredictError, Predictor, Shipped, Stopper, TransformReport,
    admission::Trial,
    catalog::{Exports, Prepared},
    ended::{Ended, Stopped},
    instance::{Around, Open, Share},
    limits::Exceeded,
    outcome::{disposition, failed},
    pulse::Pulse,
};
use crate::{
    capability::{
        Scope,
        bindings::{
            exports::septet::pipeline::stage::{Invocation, StageError},
            septet::pipeline::types,
        },
    },
    contract::{Artifact, Blame, Call, Digest, Disposition, Executed, Origin, Proposal, Stage},
    external::Externals,
    store::Blobs,
};

/// What happens when an embedded component is silent for too long; it is told why.
type OnSilence = Arc<dyn Fn(&str) + Send + Sync>;

/// Gives a component that came with the program, and its digest.
pub type Own = fn() -> (Digest, &'static [u8]);

/// The exit code of a process that ended itself because a component could not be stopped:
/// "temporary failure" of sysexits.h, because another process takes the work up.
const SILENT: i32 = 75;

/// Runs stages in this process.
pub struct StageExecutor {
    pub(super) catalog: Arc<Catalog>,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) limits: Arc<Limits>,
    inert: Inert,
    on_silence: OnSilence,
    permits: Arc<Semaphore>,
    pub(super) externals: Externals,
    /// The infer component of ONNX models.
    pub(super) onnx: Option<Own>,
    /// Whether its calls are copies, whose outcomes count for nothing.
    pub(super) apart: bool,
}

impl StageExecutor {
    /// An executor of the `embedded` components and those in the store. `cache` is Septet's
    /// own cache folder, for native code; without it, components are compiled at each start.
    pub fn new(
        embedded: Embedded,
        cache: Option<&Path>,
        limits: Limits,
        grants: Grants,
        blobs: Arc<dyn Blobs>,
    ) -> anyhow::Result<Self> {
        Self::with_shipped(embedded, (cache, None), limits, grants, blobs)
    }

    /// As `new`, with native code that was shipped with the program beside the cache.
    pub fn with_shipped(
        embedded: Embedded,
        (cache, shipped): (Option<&Path>, Option<Shipped>),
        limits: Limits,
        grants: Grants,
        blobs: Arc<dyn Blobs>,
    ) -> anyhow::Result<Self> {
        limits.check()?;
        let limits = Arc::new(limits);
        let engines = Engines::new(&limits)?;
        let native = cache.map(NativeCache::new);
        let own = Arc::clone(&blobs);
        let catalog = Catalog::new(engines, embedded, native, own, grants, Arc::clone(&limits))
            .with_shipped(shipped);
        Ok(Self {
            catalog: Arc::new(catalog),
            blobs,
            inert: Inert::default(),
            on_silence: Arc::new(end_process),
            permits: Arc::new(Semaphore::new(limits.concurrent_calls as usize)),
            externals: Externals::default(),
            onnx: None,
            apart: false,
            limits,
        })
    }

    /// Other constants for time and chance: to show that no output depends on them.
    #[must_use]
    pub const fn with_inert(mut self, inert: Inert) -> Self {
        self.inert = inert;
        self
    }

    /// Where components that are not embedded are compiled; without this, in this process, which is
    /// for components that one has built oneself.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        self.catalog.compile_with(compiler);
        self
    }

    /// Another end for an embedded component that is silent for too long. It can't be stopped,
    /// so without this the process ends: whatever it was doing is taken up by another one.
    #[must_use]
    pub fn on_silence(mut self, on_silence: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_silence = Arc::new(on_silence);
        self
    }

    /// The same stages, whose calls read and write other blobs; components come from where they did.
    #[must_use]
    pub fn over(&self, blobs: Arc<dyn Blobs>) -> Self {
        Self {
            catalog: Arc::clone(&self.catalog),
            blobs,
            limits: Arc::clone(&self.limits),
            inert: self.inert,
            on_silence: Arc::clone(&self.on_silence),
            permits: Arc::clone(&self.permits),
            externals: self.externals.clone(),
            onnx: self.onnx,
            apart: true,
        }
    }

    /// The same stages for copies of calls, of which nobody is to hear: they write no more bytes than this,
    /// because those are in memory, and log nothing.
    #[must_use]
    pub fn for_copies(mut self, bytes: u64) -> Self {
        let mut limits = Limits::clone(&self.limits);
        limits.log_lines = 0;
        limits.written_bytes = limits.written_bytes.min(bytes);
        limits.blob_bytes = limits.blob_bytes.min(bytes);
        self.limits = Arc::new(limits);
        self
    }

    /// What calls read and write.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// What a call may take.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The components.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Loads a model to be asked again and again. Its rows may go through `transforms`.
    pub async fn predictor(
        &self,
        infer: &Digest,
        bundle: &Artifact,
        transforms: &[Digest],
    ) -> Result<Predictor, PredictError> {
        let around = self.around(Control::new(), Origin::default(), transforms);
        Predictor::open(infer, bundle, &around).await
    }

    /// Tries a transform that is in the store on `sample`, which has at most a batch's rows, or on rows
    /// made up from what it needs: what it is, and that its rows depend on nothing but themselves.
    pub async fn admit_transform(
        &self,
        digest: &Digest,
        sample: Option<Table>,
    ) -> Result<TransformReport, NotAdmitted> {
        let host = |error: anyhow::Error| NotAdmitted::Host(error);
        let prepared = self.catalog.transform(digest).await;
        let prepared = prepared.map_err(NotAdmitted::Load)?;
        let size = self.blobs.open(digest).await;
        let size = size.map_err(|error| host(error.into()))?.size();
        let most = self.limits.admission_seconds;
        let control = Control::new().with_deadline(Instant::now() + Duration::from_secs(most));
        let around = self.around(control, Origin::default(), &[*digest]);
        let handle = tokio::runtime::Handle::current();
        // It computes: on a thread of its own, as every component does.
        let trying = tokio::task::spawn_blocking(move || {
            handle.block_on(async {
                let pulse = Arc::clone(&around.pulse);
                let tried = Trial::run((prepared, size), around, sample);
                within(&pulse, async { Ok(tried.await) }).await
            })
        });
        let tried = trying.await.context("a transform's thread broke");
        match tried.map_err(host)? {
            // Nobody but its deadline stops a trial: while a guest computes, or between two calls.
            Ok(Err(NotAdmitted::Host(error))) if !error.is::<Stopped>() => Err(host(error)),
            Err(_) | Ok(Err(NotAdmitted::Host(_))) => {
                let limit = Exceeded::more("admission_seconds", most);
                Err(NotAdmitted::Refused(limit.to_string()))
            }
            Ok(tried) => tried,
        }
    }

    /// Runs one call. An error is the host's fault and may be gone at the next attempt; what the
    /// call or the component is to blame for is in the disposition. When the future is dropped,
    /// the component is stopped.
    pub async fn execute(&self, call: Call, control: &Control) -> anyhow::Result<Executed> {
        let parameters = call.parameters.len() as u64;
        let most = self.limits.parameters_bytes;
        if let Err(limit) = Exceeded::check("parameters_bytes", most, parameters) {
            return Ok(rejected(&limit));
        }
        let permits = Arc::clone(&self.permits);
        let permit = permits
            .acquire_owned()
            .await
            .context("no calls are taken")?;
        if let Some(external) = self.externals.get(&call.component) {
            return self.execute_external(external, &call, control).await;
        }
        self.execute_component(call, control, Some(permit)).await
    }

    /// One call of a component. `permit` is held until it has ended.
    pub(super) async fn execute_component(
        &self,
        call: Call,
        control: &Control,
        permit: Option<OwnedSemaphorePermit>,
    ) -> anyhow::Result<Executed> {
        let loaded = self.catalog.stage(call.stage, &call.component).await;
        let prepared = match loaded {
            Ok(prepared) => prepared,
            Err(LoadError::Misfit { .. }) if self.is_definition(&call.component).await => {
                // Another process may have it, or this one when it is started again.
                anyhow::bail!(
                    "the run was created with an external {} that the settings of this process do not have: \
                     its command, files or version have changed, or it runs elsewhere. Run again",
                    call.stage
                );
            }
            // It will not be there, or fit, at the next attempt either.
            Err(error @ (LoadError::Missing(_) | LoadError::Misfit { .. })) => {
                return Ok(rejected(&error));
            }
            Err(LoadError::Host(error)) => return Err(error),
        };
        let stage = call.stage;
        let around = self.around(control.clone(), call.origin.clone(), &call.transforms);
        let pulse = Arc::clone(&around.pulse);
        let scope = Scope::of(&call, self.catalog.grants().labels(stage));
        // A caller that goes away must not leave a component running.
        let _stop = StopOnDrop(control.stopper());
        let handle = tokio::runtime::Handle::current();
        // A component computes: on a thread of its own, so that it does not hold up others.
        // What is logged there belongs to the span of the call.
        let span = tracing::Span::current();
        let running = tokio::task::spawn_blocking(move || {
            span.in_scope(|| handle.block_on(run(call, &prepared, scope, &around)))
        });
        let watch = Watch {
            stage,
            most: Duration::from_secs(self.limits.silence_seconds),
            on_silence: Arc::clone(&self.on_silence),
        };
        // Watched to its end, and counted among the calls, also where its caller has gone away.
        let watched = tokio::spawn(async move {
            let executed = watch.to_end(running, &pulse).await;
            drop(permit);
            executed
        });
        watched.await.context("a stage's watcher broke")?
    }

    fn around(&self, control: Control, origin: Origin, transforms: &[Digest]) -> Around {
        Around {
            catalog: Arc::clone(&self.catalog),
            blobs: Arc::clone(&self.blobs),
            limits: Arc::clone(&self.limits),
            inert: self.inert,
            pulse: Arc::new(Pulse::new(control, self.limits.wall_seconds)),
            origin,
            transforms: transforms.iter().copied().collect(),
        }
    }
}

/// Watches over a component that can't be interrupted.
struct Watch {
    stage: Stage,
    most: Duration,
    on_silence: OnSilence,
}

impl Watch {
    /// The call's answer, or the end of a component that is silent for too long.
    async fn to_end(
        &self,
        mut running: JoinHandle<anyhow::Result<Executed>>,
        pulse: &Pulse,
    ) -> anyhow::Result<Executed> {
        let begun = Instant::now();
        loop {
            let look = Duration::from_millis(250).min(self.most);
            if let Ok(done) = tokio::time::timeout(look, &mut running).await {
                return done.context("a stage's thread broke")?;
            }
            // A guarded component is never silent, because its engine looks at it all the time.
            if pulse.silence() >= self.most {
                let reason = format!(
                    "stage {} computed for {} s without a word (limit silence_seconds)",
                    self.stage,
                    self.most.as_secs()
                );
                (self.on_silence)(&reason);
                return Ok(ended(failed(reason, Blame::Guest), begun.elapsed()));
            }
        }
    }
}

/// Runs one call to its end.
async fn run(
    call: Call,
    prepared: &Prepared,
    scope: Scope,
    around: &Around,
) -> anyhow::Result<Executed> {
    let begun = Instant::now();
    let inputs = call.inputs.clone();
    let share = Share::stage(&around.limits, prepared.trust);
    let session = around.session(around.log(call.stage.to_string()), scope, &share);
    let mut open = Open::new(prepared, session, &share, &around.pulse);
    let invocation = Invocation {
        inputs: call.inputs.iter().map(types::Artifact::from).collect(),
        parameters: call.parameters,
        seed: call.seed,
    };
    let pulse = &around.pulse;
    let answer = within(pulse, answer(&mut open, prepared, &invocation)).await;
    let answer = answer.map_err(|error| open.ended(error));
    let mut session = open.store.into_data();
    let mut disposition = disposition(answer, &session.context)?;
    let (written, dropped) = session.context.log.counts();
    if dropped > 0 {
        tracing::debug!(
            "{} wrote {written} log lines, and {dropped} were dropped",
            call.stage
        );
    }
    let granted = around.catalog.grants().of(call.stage).iter();
    let mut used: BTreeMap<String, u64> = granted.map(|c| (c.to_string(), 0)).collect();
    used.extend(session.context.meter.used());
    let ok = matches!(disposition, Disposition::Ok(_));
    let messages = session.context.outbox.take();
    let proposals = session.context.proposals.take();
    if ok && call.stage == Stage::Deploy {
        let tested = load_test(&call.infer, &inputs, &proposals, around).await?;
        disposition = tested.unwrap_or(disposition);
    }
    let ok = matches!(disposition, Disposition::Ok(_));
    Ok(Executed {
        messages: if ok { messages } else { Vec::new() },
        proposals: if ok { proposals } else { Vec::new() },
        used,
        peak_memory_bytes: session.limiter.peak(),
        ..ended(disposition, begun.elapsed())
    })
}

/// The component's own answer.
async fn answer(
    open: &mut Open,
    prepared: &Prepared,
    invocation: &Invocation,
) -> wasmtime::Result<Result<types::Outcome, StageError>> {
    let Exports::Stage { stage, .. } = &prepared.exports else {
        return Err(wasmtime::Error::msg("it is not the component of a stage"));
    };
    let instance = open.instantiate(prepared).await?;
    let guest = stage.load(&mut open.store, &instance)?;
    guest.call_run(&mut open.store, invocation).await
}

/// Loads each model that an alias is to be moved to, as those will who ask it later: its infer
/// component replays the rows that are recorded in the bundle. What comes instead of the stage's
/// answer where one can't be loaded, or does not predict as it did.
async fn load_test(
    infer: &Digest,
    inputs: &[Artifact],
    proposals: &[Proposal],
    around: &Around,
) -> anyhow::Result<Option<Disposition>> {
    let moves = proposals.iter().filter(|p| p.change.is_some());
    for proposal in moves {
        let Some(bundle) = inputs.iter().find(|i| i.digest == proposal.bundle) else {
            // What is no input is refused before it is committed.
            continue;
        };
        let pulse = &around.pulse;
        let loaded = within(pulse, async {
            Ok(Predictor::open(infer, bundle, around).await)
        });
        let error = match loaded.await {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error,
            Err(error) => PredictError::from(Ended::from_error(error, "")),
        };
        let reason = format!("load test: {error}");
        return match error {
            PredictError::Load(LoadError::Host(error))
            | PredictError::Ended(EarlyEnd(Ended::Host(error))) => Err(error),
            PredictError::Ended(EarlyEnd(Ended::Stopped(_))) => {
                Ok(Some(failed(reason, Blame::Host)))
            }
            _ => Ok(Some(Disposition::Rejected { reason })),
        };
    }
    Ok(None)
}

/// The future's answer, unless the call is stopped or its time is over before.
async fn within<T>(
    pulse: &Pulse,
    work: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    tokio::select! {
        biased;
        done = work => done,
        () = tokio::time::sleep_until(pulse.deadline().into()) => Err(pulse.overdue()),
        reason = pulse.control().wait_for_stop() => Err(wasmtime::Error::new(Stopped(reason))),
    }
}

/// A call that left nothing behind.
fn ended(disposition: Disposition, took: Duration) -> Executed {
    Executed {
        disposition,
        messages: Vec::new(),
        proposals: Vec::new(),
        used: BTreeMap::new(),
        peak_memory_bytes: 0,
        seconds: took.as_secs_f64(),
    }
}

/// A call that did not begin, because no attempt could do better.
fn rejected(reason: &impl ToString) -> Executed {
    let reason = reason.to_string();
    ended(Disposition::Rejected { reason }, Duration::ZERO)
}

struct StopOnDrop(Stopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop("nobody waits for it any more");
    }
}

/// The end of a process whose component can't be stopped. What it had not committed is as if it
/// had never begun.
fn end_process(reason: &str) {
    tracing::error!("{reason}; this process ends, and its work is taken up again");
    std::process::exit(SILENT);
}
