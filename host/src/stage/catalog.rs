//! The loaded components.
//!
//! It owns the way from a digest to something that can be instantiated: bytes (embedded, or a
//! blob), native code (cached, or compiled), the check that it fits, and the link to what it is
//! granted. It must not run guest code.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use wasmtime::component::{Component, InstancePre};

use super::{
    compiler::{Compiler, Uncompiled},
    ended::plain,
    engine::{Engines, Trust},
    fit::{Report, Role, Shape},
    grants::Grants,
    limits::{Exceeded, Limits},
    linker::linker,
    native::NativeCache,
    scan::scan,
    session::Session,
    shelf::Shelf,
    shipped::Shipped,
};
use crate::{
    capability::bindings::exports::septet::{
        pipeline::{predictor, stage},
        transform::transform,
    },
    contract::{Digest, Stage},
    store::{BlobError, Blobs},
};

/// The components inside the binary: a stage may come once.
pub type Embedded = &'static [(Stage, &'static [u8])];

/// Why a component can't be had.
#[derive(Debug)]
pub enum LoadError {
    /// It is neither embedded nor in the store.
    Missing(Digest),
    /// It can't be what it is to be used as; a line a problem.
    Misfit {
        /// The component.
        digest: Digest,
        /// What it was to be: `stage train`, `a user transform`.
        role: String,
        /// Why not.
        problems: Vec<String>,
    },
    /// The store or the machine failed.
    Host(anyhow::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(digest) => {
                write!(f, "component {digest} is neither embedded nor in the store")
            }
            Self::Misfit {
                digest,
                role,
                problems,
            } => {
                let (digest, problems) = (digest.short(), problems.join("; "));
                write!(f, "component {digest} does not fit {role}: {problems}")
            }
            Self::Host(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// A component, linked to its grants and ready to be instantiated.
pub(crate) struct Prepared {
    pub(crate) digest: Digest,
    pub(crate) trust: Trust,
    pub(crate) pre: InstancePre<Session>,
    pub(crate) exports: Exports,
}

/// Where a component's functions are.
pub(crate) enum Exports {
    Stage {
        stage: stage::GuestIndices,
        predictor: Option<predictor::GuestIndices>,
    },
    Transform(transform::GuestIndices),
}

struct Own {
    stage: Stage,
    digest: Digest,
    bytes: &'static [u8],
}

/// Loads components and keeps them.
pub struct Catalog {
    engines: Engines,
    native: Option<NativeCache>,
    shipped: Option<Shipped>,
    compiler: OnceLock<Compiler>,
    embedded: Vec<Own>,
    blobs: Arc<dyn Blobs>,
    grants: Grants,
    limits: Arc<Limits>,
    components: Shelf<(Digest, Trust), Component>,
    prepared: Shelf<(Role, Digest), Arc<Prepared>>,
}

impl Catalog {
    /// A catalog of the `embedded` components and those in `blobs`. Without `native`, components
    /// are compiled at each start.
    pub fn new(
        engines: Engines,
        embedded: Embedded,
        native: Option<NativeCache>,
        blobs: Arc<dyn Blobs>,
        grants: Grants,
        limits: Arc<Limits>,
    ) -> Self {
        let most = embedded.len() + limits.components as usize;
        let own = |(stage, bytes): &(Stage, &'static [u8])| Own {
            stage: *stage,
            digest: Digest::of(bytes),
            bytes,
        };
        Self {
            engines,
            native,
            shipped: None,
            compiler: OnceLock::new(),
            embedded: embedded.iter().map(own).collect(),
            blobs,
            grants,
            limits,
            components: Shelf::new(most),
            prepared: Shelf::new(most),
        }
    }

    /// The catalog with native code that was shipped: it is looked for there first.
    #[must_use]
    pub fn with_shipped(mut self, shipped: Option<Shipped>) -> Self {
        self.shipped = shipped;
        self
    }

    /// Where components that are not embedded are compiled, if not here. The first word counts.
    pub(crate) fn compile_with(&self, compiler: Compiler) {
        let first = self.compiler.set(compiler);
        debug_assert!(first.is_ok(), "the compiler is chosen once, at the start");
    }

    /// The embedded component of `stage`.
    pub fn embedded(&self, stage: Stage) -> Option<Digest> {
        let own = self.embedded.iter().find(|own| own.stage == stage);
        own.map(|own| own.digest)
    }

    /// Its size in bytes.
    pub fn embedded_size(&self, stage: Stage) -> Option<u64> {
        let own = self.embedded.iter().find(|own| own.stage == stage);
        own.map(|own| own.bytes.len() as u64)
    }

    /// The grants by which components are linked.
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Loads the embedded components of `stages` at the same time, so that a first start waits
    /// for the slowest and not for the sum.
    pub async fn warm(self: &Arc<Self>, stages: &[Stage]) -> Result<(), LoadError> {
        let mut loading = tokio::task::JoinSet::new();
        for stage in stages {
            if let Some(digest) = self.embedded(*stage) {
                let (catalog, stage) = (Arc::clone(self), *stage);
                loading.spawn(async move { catalog.stage(stage, &digest).await.map(drop) });
            }
        }
        while let Some(loaded) = loading.join_next().await {
            loaded.map_err(|error| LoadError::Host(error.into()))??;
        }
        Ok(())
    }

    /// Loads a component of the store or an embedded one as the component of `stage`, and says
    /// why it can't be that.
    pub async fn load(&self, stage: Stage, digest: &Digest) -> Result<(), LoadError> {
        self.stage(stage, digest).await.map(drop)
    }

    /// Loads a component of the store as a user transform, and says why it can't be that.
    pub async fn load_transform(&self, digest: &Digest) -> Result<(), LoadError> {
        self.transform(digest).await.map(drop)
    }

    /// Compiles a component that need not be in the store, and keeps it at hand: `load` and calls find
    /// it then.
    pub async fn offer(&self, bytes: Vec<u8>) -> Result<Digest, LoadError> {
        let digest = Digest::of(&bytes);
        let trust = self.trust(&digest);
        let make = async {
            match self.cached(&digest, trust).await? {
                Some(component) => Ok(component),
                None => self.compile(&digest, trust, bytes).await,
            }
        };
        self.components.get(&(digest, trust), make).await?;
        Ok(digest)
    }

    /// What the component is and which stages it fits. With `stage`, why it does not fit that.
    /// An error means that it is no component at all.
    pub async fn check(&self, bytes: Vec<u8>, stage: Option<Stage>) -> anyhow::Result<Report> {
        let size = bytes.len() as u64;
        Exceeded::check("component_bytes", self.limits.component_bytes, size)?;
        let digest = Digest::of(&bytes);
        // A component is checked before each use of its file: the large ones of Python and
        // JavaScript take seconds to compile, so what was compiled before is taken as it is.
        let component = match self.cached(&digest, Trust::Guarded).await? {
            Some(component) => component,
            None => {
                self.compile(&digest, Trust::Guarded, bytes)
                    .await
                    .map_err(|error| match error {
                        LoadError::Misfit { problems, .. } => anyhow::anyhow!(problems.join("; ")),
                        other => other.into(),
                    })?
            }
        };
        let engine = self.engines.of(Trust::Guarded);
        let shape = Shape::of(engine, &component);
        let problems = |role| match self.link(&component, &digest, role, Trust::Guarded) {
            Err(LoadError::Misfit { problems, .. }) => Ok(problems),
            Err(other) => Err(other),
            Ok(_) => Ok(Vec::new()),
        };
        let mut fits = Vec::new();
        for stage in Stage::ALL {
            if problems(Role::Stage(stage))?.is_empty() {
                fits.push(stage);
            }
        }
        let transform = problems(Role::Transform)?.is_empty();
        let problems = match stage {
            Some(stage) => problems(Role::Stage(stage))?,
            None => Vec::new(),
        };
        Ok(Report {
            digest,
            size,
            imports: shape.imports,
            exports: shape.exports,
            fits,
            transform,
            problems,
        })
    }

    /// Puts a component that came with the program into the store, where it is looked for like any other.
    pub async fn keep(&self, digest: &Digest, bytes: &[u8]) -> anyhow::Result<()> {
        if self.blobs.touch(digest).await?.is_none() {
            self.blobs.put(bytes).await?;
        }
        Ok(())
    }

    /// The bytes of a component that is embedded or in the store.
    pub async fn bytes(&self, digest: &Digest) -> Result<Vec<u8>, LoadError> {
        if let Some(own) = self.own(digest) {
            return Ok(own.bytes.to_vec());
        }
        let blob = self.blobs.get(digest, self.limits.component_bytes).await;
        blob.map_err(|error| match error {
            BlobError::Missing(digest) => LoadError::Missing(digest),
            other => LoadError::Host(other.into()),
        })
    }

    /// The component of a stage, ready to be instantiated.
    pub(crate) async fn stage(
        &self,
        stage: Stage,
        digest: &Digest,
    ) -> Result<Arc<Prepared>, LoadError> {
        let trust = self.trust(digest);
        self.prepare(Role::Stage(stage), digest, trust).await
    }

    fn trust(&self, digest: &Digest) -> Trust {
        match self.own(digest) {
            Some(_) => Trust::Trusted,
            None => Trust::Guarded,
        }
    }

    /// A user transform, ready to be instantiated. It is never trusted, whoever wrote it.
    pub(crate) async fn transform(&self, digest: &Digest) -> Result<Arc<Prepared>, LoadError> {
        self.prepare(Role::Transform, digest, Trust::Guarded).await
    }

    fn own(&self, digest: &Digest) -> Option<&Own> {
        self.embedded.iter().find(|own| own.digest == *digest)
    }

    async fn prepare(
        &self,
        role: Role,
        digest: &Digest,
        trust: Trust,
    ) -> Result<Arc<Prepared>, LoadError> {
        let make = async {
            let component = self.component(digest, trust, role).await?;
            self.link(&component, digest, role, trust).map(Arc::new)
        };
        self.prepared.get(&(role, *digest), make).await
    }

    async fn component(
        &self,
        digest: &Digest,
        trust: Trust,
        role: Role,
    ) -> Result<Component, LoadError> {
        let make = async {
            let misfit = |problem: String| misfit(digest, &role, vec![problem]);
            if self.own(digest).is_none() {
                // Says that the component is in use, and how large it is, before it is read.
                let size = self.blobs.touch(digest).await.map_err(LoadError::Host)?;
                let size = size.ok_or(LoadError::Missing(*digest))?;
                Exceeded::check("component_bytes", self.limits.component_bytes, size)
                    .map_err(|limit| misfit(limit.to_string()))?;
            }
            if let Some(component) = self.cached(digest, trust).await? {
                return Ok(component);
            }
            let bytes = self.bytes(digest).await?;
            let compiled = self.compile(digest, trust, bytes).await;
            compiled.map_err(|error| match error {
                LoadError::Misfit { problems, .. } => misfit(problems.join("; ")),
                other => other,
            })
        };
        self.components.get(&(*digest, trust), make).await
    }

    async fn cached(&self, digest: &Digest, trust: Trust) -> Result<Option<Component>, LoadError> {
        let (native, shipped) = (self.native.clone(), self.shipped.clone());
        if native.is_none() && shipped.is_none() {
            return Ok(None);
        }
        let (engine, digest) = (self.engines.of(trust).clone(), *digest);
        blocking(move || {
            let shipped = shipped.and_then(|shipped| shipped.load(&engine, &digest, trust));
            shipped.or_else(|| native?.load(&engine, &digest))
        })
        .await
    }

    /// Compiles a component. One that is not embedded is anybody's: it is looked at before, and
    /// compiled where it can't harm this process.
    async fn compile(
        &self,
        digest: &Digest,
        trust: Trust,
        bytes: Vec<u8>,
    ) -> Result<Component, LoadError> {
        let (engine, native) = (self.engines.of(trust).clone(), self.native.clone());
        let digest = *digest;
        let compiler = match self.own(&digest) {
            Some(_) => Compiler::Here,
            None => self.compiler.get().cloned().unwrap_or(Compiler::Here),
        };
        let refused = |problem: String| misfit(&digest, &"any stage", vec![problem]);
        let limits = Arc::clone(&self.limits);
        let foreign = self.own(&digest).is_none();
        let bytes = blocking(move || {
            is_component(&bytes)?;
            if foreign {
                scan(&bytes, &limits).map_err(|limit| limit.to_string())?;
            }
            Ok(bytes)
        })
        .await?
        .map_err(refused)?;
        let compiled = compiler.compile(&engine, trust, bytes, &self.limits).await;
        let component = compiled.map_err(|error| match error {
            Uncompiled::Refused(problem) => refused(problem),
            Uncompiled::Host(error) => LoadError::Host(error),
        })?;
        let Some(native) = native else {
            return Ok(component);
        };
        blocking(move || {
            native.save(&engine, &digest, &component);
            component
        })
        .await
    }

    /// Checks the component against the role's grants, and links it to them and to no more.
    fn link(
        &self,
        component: &Component,
        digest: &Digest,
        role: Role,
        trust: Trust,
    ) -> Result<Prepared, LoadError> {
        let engine = self.engines.of(trust);
        let problems = Shape::of(engine, component).problems(role, &self.grants);
        if !problems.is_empty() {
            return Err(misfit(digest, &role, problems));
        }
        let none = BTreeSet::new();
        let granted = match role {
            Role::Stage(stage) => self.grants.of(stage),
            Role::Transform => &none,
        };
        let linker = linker(engine, granted).map_err(|error| LoadError::Host(plain(error)))?;
        let typed = |error: wasmtime::Error| {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let problem = crate::capability::clean(&causes.join(": "), 1000);
            misfit(digest, &role, vec![problem])
        };
        let pre = linker.instantiate_pre(component).map_err(typed)?;
        let exports = match role {
            Role::Stage(stage) => {
                let predictor = matches!(stage, Stage::Infer)
                    .then(|| predictor::GuestIndices::new(&pre))
                    .transpose();
                Exports::Stage {
                    stage: stage::GuestIndices::new(&pre).map_err(typed)?,
                    predictor: predictor.map_err(typed)?,
                }
            }
            Role::Transform => {
                Exports::Transform(transform::GuestIndices::new(&pre).map_err(typed)?)
            }
        };
        Ok(Prepared {
            digest: *digest,
            trust,
            pre,
            exports,
        })
    }
}

fn misfit(digest: &Digest, role: &impl ToString, problems: Vec<String>) -> LoadError {
    LoadError::Misfit {
        digest: *digest,
        role: role.to_string(),
        problems,
    }
}

/// Says in a line why these bytes can't even be looked at as a component.
fn is_component(bytes: &[u8]) -> Result<(), String> {
    match bytes {
        // The fourth pair of bytes of the header tells modules and components apart.
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err("it is a core module and not a component: build it for wasm32-wasip2".to_owned())
        }
        _ => Err("it is not a WebAssembly component".to_owned()),
    }
}

/// Runs work that computes or waits for files, away from the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.context("a thread that loads components broke");
    done.map_err(LoadError::Host)
}
