//! What a command works with: the settings, a store, and the stages.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use septet::{
    components::{EMBEDDED, builtin, infer_onnx},
    contract::{Digest, Stage},
    external::{External, Externals},
    pipeline::{Own, Pipeline, RunRequest, RunState, Stand, Standing, Status, Traces},
    stage::{Capability, Compiler, Grants, Shipped, StageExecutor},
    store::{Access, Local, Mode, Store, azure::Azure},
    swap::{self, beside},
    trigger::Once,
    trust::{Signed, Trust},
};

use super::{args::Global, azure_store, drawing::Drawing};
use crate::config::{self, Beside, Environment, Settings, azure};

/// Where a command's words come from: flags, settings, environment, in this order of weight.
pub(crate) struct Origin {
    pub(crate) global: Global,
    pub(crate) settings: Settings,
    pub(crate) environment: Environment,
    /// Who is told where spans stand.
    pub(crate) traces: Arc<dyn Traces>,
}

impl Origin {
    /// The folder of the store, or `azure:` and the name of a connection.
    pub(crate) fn store(&self) -> PathBuf {
        let flag = self.global.store.as_ref();
        let chosen = flag
            .or(self.environment.store.as_ref())
            .or(self.settings.store.as_ref());
        chosen.cloned().unwrap_or_else(|| PathBuf::from(".septet"))
    }

    /// Whether anybody has named a store.
    pub(crate) const fn names_a_store(&self) -> bool {
        self.global.store.is_some()
            || self.environment.store.is_some()
            || self.settings.store.is_some()
    }

    /// The grants: the default table, narrowed by the settings.
    pub(crate) fn grants(&self) -> anyhow::Result<Grants> {
        let mut grants = Grants::default();
        for (stage, keep) in &self.settings.grants {
            let keep: Vec<Capability> = keep
                .iter()
                .map(|name| name.parse())
                .collect::<anyhow::Result<_>>()
                .with_context(|| format!("in the grants of {stage}"))?;
            grants.restrict(*stage, &keep)?;
        }
        Ok(grants)
    }

    /// Which components this process takes.
    pub(crate) fn trust(&self) -> anyhow::Result<Arc<Trust>> {
        self.settings.trust.trust().map(Arc::new)
    }

    /// The pipeline over `store`, as this process traces it.
    fn pipeline(&self, store: Store) -> anyhow::Result<Pipeline> {
        let pipeline = Pipeline::new(store).trusting(self.trust()?);
        let pipeline = pipeline.judging(self.settings.canary.bounds()?);
        let key = self.settings.preprocess.key.clone();
        let pipeline = pipeline.comparing(self.settings.shadow.tolerance(key)?);
        // What is built in came with the program, and needs no signature.
        let own =
            Own::new(|stage, component| builtin(stage).is_some_and(|(own, _)| own == *component));
        let pipeline = pipeline.owning(own);
        Ok(pipeline.traced(Arc::clone(&self.traces)))
    }

    /// The stages of this process over `store`.
    pub(crate) fn stages(&self, store: &Store) -> anyhow::Result<Arc<StageExecutor>> {
        self.stages_with(store, Externals::default())
    }

    fn stages_with(
        &self,
        store: &Store,
        externals: Externals,
    ) -> anyhow::Result<Arc<StageExecutor>> {
        let limits = self.settings.limits.clone();
        let cache = self.environment.cache.as_deref();
        let blobs = Arc::clone(&store.blobs);
        let shipped = self.environment.native.as_deref();
        let shipped = shipped.map(Shipped::open).transpose()?;
        let native = (cache, shipped);
        let stages = StageExecutor::with_shipped(&EMBEDDED, native, limits, self.grants()?, blobs)?;
        // Components of others are compiled in a process of their own, which is this program.
        let compiler = Compiler::process(config::itself()?);
        let stages = stages.with_compiler(compiler);
        Ok(Arc::new(
            stages.with_externals(externals).with_onnx(infer_onnx),
        ))
    }

    /// The connection of the store's account; none where the store is in a folder.
    pub(crate) fn account(&self) -> Option<String> {
        azure::named(&self.store()).map(str::to_owned)
    }

    /// The store in a storage account, where one is named.
    pub(crate) async fn azure(&self, mode: Mode) -> anyhow::Result<Option<Azure>> {
        match self.account() {
            Some(name) => azure_store::open(self, &name, mode).await.map(Some),
            None => Ok(None),
        }
    }

    /// The store, wherever it is.
    pub(crate) async fn open(&self, mode: Mode) -> anyhow::Result<Store> {
        match self.azure(mode).await? {
            Some(azure) => Ok(azure.store()),
            None => Ok(self.local(mode).await?.store()),
        }
    }

    /// The store's folder, opened with the key that is set, if any.
    pub(crate) async fn local(&self, mode: Mode) -> anyhow::Result<Local> {
        let access = Access {
            key: self.store_key().await?,
            ..Access::from(mode)
        };
        Local::open(&self.store(), access).await
    }

    /// The store alone, which must be there.
    pub(crate) async fn existing(&self) -> anyhow::Result<Pipeline> {
        self.pipeline(self.open(Mode::Existing).await?)
    }

    /// Store and stages.
    pub(crate) async fn session(&self, mode: Mode) -> anyhow::Result<Session> {
        let store = self.open(mode).await?;
        let session = self.session_of(store)?;
        if session.pipeline.standing().of(Stage::Train).is_some() {
            session.stages.keep_onnx().await?;
        }
        self.wish(&session).await?;
        Ok(session)
    }

    /// Sees to the shadows that the settings wish for.
    pub(crate) async fn wish(&self, session: &Session) -> anyhow::Result<()> {
        for (stage, beside) in self.settings.shadows() {
            let standing = session.pipeline.standing().of(stage);
            let standing = standing.map(|stand| stand.identity);
            let component = match beside {
                Beside::Default => session.component(stage)?,
                Beside::External => standing.with_context(|| {
                    format!("shadow = \"external\" of [{stage}] needs an `external` beside it")
                })?,
            };
            let who = &self.environment.user;
            swap::wish(&session.pipeline, stage, component, standing, who).await?;
        }
        Ok(())
    }

    /// Stages over a store that is open.
    pub(crate) fn session_of(&self, store: Store) -> anyhow::Result<Session> {
        let externals = self.settings.externals()?;
        let stand = |external: &External| {
            let stand = Stand {
                identity: external.identity(),
                definition: external.definition().to_owned(),
            };
            (external.stage(), stand)
        };
        let trains = externals
            .all()
            .any(|external| external.stage() == Stage::Train);
        let standing = externals.all().map(stand).collect();
        let standing = Standing::new(standing, trains.then(|| infer_onnx().0));
        let named = standing.clone();
        let own = Own::new(move |stage, component| {
            named.is_own(component) || builtin(stage).is_some_and(|(own, _)| own == *component)
        });
        let stages = self.stages_with(&store, externals.over(&store))?;
        Ok(Session {
            trust: self.trust()?,
            pipeline: self.pipeline(store)?.with_standing(standing).owning(own),
            stages,
        })
    }
}

/// Store and stages of one command.
pub(crate) struct Session {
    pub(crate) pipeline: Pipeline,
    pub(crate) stages: Arc<StageExecutor>,
    /// Which components this process takes.
    pub(crate) trust: Arc<Trust>,
}

impl Session {
    /// The embedded component of a stage.
    pub(crate) fn component(&self, stage: Stage) -> anyhow::Result<Digest> {
        let embedded = self.stages.catalog().embedded(stage);
        embedded.with_context(|| format!("this septet was built without the stage {stage}"))
    }

    /// Whether the component of a file, which is in the store already, may be used: by its signature,
    /// which is looked for beside the file. Who it is by, where it is signed.
    pub(crate) async fn trusts(
        &self,
        file: &Path,
        component: &Digest,
    ) -> anyhow::Result<Option<Signed>> {
        let bytes = self.stages.catalog().bytes(component).await?;
        let signature = beside(file)?;
        let signed = self.trust.check(&bytes, signature.as_deref());
        signed.map_err(|problem| anyhow::anyhow!("{}: {problem}", file.display()))
    }

    /// Compiles what the run needs, before anything of it is written down: a component that does
    /// not fit its grants is refused here.
    pub(crate) async fn prepare(&self, stages: &[Stage], drawing: &Drawing) -> anyhow::Result<()> {
        let _note = drawing.waiting("compiling components (once on this machine)");
        let catalog = self.stages.catalog();
        catalog.warm(stages).await?;
        let in_force = self.pipeline.swaps().all().await?;
        for state in in_force.stages() {
            let Some(current) = state.current.filter(|_| stages.contains(&state.stage)) else {
                continue;
            };
            // Not an error yet: who uses it is told, and what runs without it goes on.
            if let Err(error) = catalog.load(state.stage, &current).await {
                tracing::warn!("{}: {error}", state.stage);
            }
        }
        Ok(())
    }

    /// Runs a request to its end. A run that came to nothing is an error that names its data.
    pub(crate) async fn complete(
        &self,
        request: RunRequest,
        drawing: Arc<Drawing>,
    ) -> anyhow::Result<RunState> {
        let once = Once::new(
            self.pipeline.clone(),
            Arc::clone(&self.stages),
            drawing.clone(),
        );
        let state = once.run(request).await;
        drawing.finish();
        succeeded(state?)
    }

    /// Works off a run that is there already.
    pub(crate) async fn resume(
        &self,
        run: &str,
        drawing: Arc<Drawing>,
    ) -> anyhow::Result<RunState> {
        let once = Once::new(
            self.pipeline.clone(),
            Arc::clone(&self.stages),
            drawing.clone(),
        );
        let state = once.resume(run).await;
        drawing.finish();
        state
    }
}

/// The run, if it came to something.
pub(crate) fn succeeded(state: RunState) -> anyhow::Result<RunState> {
    let Some(failed) = state.failure() else {
        return Ok(state);
    };
    let stage = failed.invocation.stage;
    let sources = &state.request.sources;
    // Whose data it was: the part, where it was a part's, else the dataset.
    let unit = failed.invocation.unit as usize;
    let data = match (stage, sources.as_slice()) {
        (Stage::Ingest, parts) => parts.get(unit).map(|part| part.label.clone()),
        (_, [one]) => Some(one.label.clone()),
        (_, [first, rest @ ..]) => Some(format!("{} and {} more", first.label, rest.len())),
        (_, []) => None,
    };
    let data = data.unwrap_or_default();
    let reason = failed.reason().unwrap_or("no reason was given");
    match state.status() {
        Status::Rejected => anyhow::bail!("{data}: {reason}"),
        Status::Cancelled => anyhow::bail!("{data}: the run was {reason}"),
        _ => {}
    }
    anyhow::bail!("{data}: stage {stage} failed: {reason}")
}
