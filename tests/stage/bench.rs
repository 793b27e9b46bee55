//! An executor over blobs in memory, and calls of it.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use septet::{
    contract::{
        Artifact, Blame, Call, Digest, Disposition, Executed, Origin, Outcome, PinnedAlias,
        PinnedVersion, Stage,
    },
    stage::{Compiler, Control, Embedded, Grants, Inert, Limits, StageExecutor},
};
use tempfile::TempDir;

use super::blobs::TestBlobs;
use crate::support::guests::guest;

/// Native code is shared by all tests, as by all starts of the binary.
static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

pub(crate) const BUNDLE_TYPE: &str = "application/vnd.septet.model-bundle";

pub(crate) struct Bench {
    pub(crate) executor: Arc<StageExecutor>,
    pub(crate) blobs: Arc<TestBlobs>,
    runtime: tokio::runtime::Runtime,
}

type OnSilence = Box<dyn Fn(&str) + Send + Sync>;

/// What differs between benches.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) inert: Inert,
    pub(crate) embedded: Vec<(Stage, &'static [u8])>,
    pub(crate) on_silence: Option<OnSilence>,
    pub(crate) cache: Option<std::path::PathBuf>,
    /// Where guests are compiled; else in this process.
    pub(crate) compiler: Option<Compiler>,
}

impl Bench {
    /// Every guest is a foreign one: on the guarded engine.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(Options {
            limits,
            ..Options::default()
        })
    }

    /// The guest of `stage` is an embedded one: on the trusted engine.
    pub(crate) fn trusted(stage: Stage, limits: Limits) -> Self {
        Self::with(Options {
            limits,
            embedded: vec![(stage, guest(stage.name()))],
            ..Options::default()
        })
    }

    pub(crate) fn with(options: Options) -> Self {
        let blobs = Arc::new(TestBlobs::default());
        let cache: &Path = options.cache.as_deref().unwrap_or_else(|| CACHE.path());
        let embedded: Embedded = Vec::leak(options.embedded);
        let own = Arc::clone(&blobs);
        let (limits, grants) = (options.limits, options.grants);
        let executor = StageExecutor::new(embedded, Some(cache), limits, grants, own).unwrap();
        let mut executor = executor.with_inert(options.inert);
        if let Some(compiler) = options.compiler {
            executor = executor.with_compiler(compiler);
        }
        if let Some(on_silence) = options.on_silence {
            executor = executor.on_silence(on_silence);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            executor: Arc::new(executor),
            blobs,
            runtime,
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(future)
    }

    /// An input with this content.
    pub(crate) fn input(&self, name: &str, content: &[u8], media_type: &str) -> Artifact {
        Artifact {
            name: name.to_owned(),
            digest: self.blobs.insert(content),
            size: content.len() as u64,
            media_type: media_type.to_owned(),
        }
    }

    /// A call of the stage's own guest that does `what`.
    pub(crate) fn call(&self, stage: Stage, what: &str) -> Call {
        let component = self.blobs.insert(guest(stage.name()));
        Call {
            stage,
            component,
            inputs: Vec::new(),
            parameters: format!("{{\"do\":\"{what}\"}}"),
            seed: 7,
            aliases: Vec::new(),
            infer: self.blobs.insert(guest("infer")),
            transforms: Vec::new(),
            origin: Origin::default(),
        }
    }

    pub(crate) fn run(&self, call: Call) -> anyhow::Result<Executed> {
        self.wait(self.executor.execute(call, &Control::new()))
    }

    /// What `call` gave, which must be good.
    pub(crate) fn outcome(&self, call: Call) -> Outcome {
        outcome(self.run(call).unwrap())
    }

    /// Why `call` failed, which must be the guest's fault.
    pub(crate) fn blamed(&self, call: Call) -> String {
        match self.run(call).unwrap().disposition {
            Disposition::Failed {
                reason,
                blame: Blame::Guest,
            } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// The alias `m@champion` at a bundle with this content, and `m@unset`.
    pub(crate) fn aliases(&self, content: &[u8]) -> Vec<PinnedAlias> {
        let alias = |alias: &str, version| PinnedAlias {
            model: "m".to_owned(),
            alias: alias.to_owned(),
            revision: 1,
            version,
        };
        let champion = PinnedVersion {
            number: 4,
            bundle: self.blobs.insert(content),
            bundle_size: content.len() as u64,
            infer: self.blobs.insert(guest("infer")),
            summary: "{}".to_owned(),
        };
        vec![alias("champion", Some(champion)), alias("unset", None)]
    }
}

pub(crate) fn outcome(executed: Executed) -> Outcome {
    match executed.disposition {
        Disposition::Ok(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Calls with more parameters or inputs.
pub(crate) trait With: Sized {
    fn with(self, key: &str, value: &str) -> Self;
    fn given(self, inputs: Vec<Artifact>) -> Self;
}

impl With for Call {
    fn with(mut self, key: &str, value: &str) -> Self {
        let open = self.parameters.trim_end_matches('}').to_owned();
        self.parameters = format!("{open},\"{key}\":\"{value}\"}}");
        self
    }

    fn given(mut self, inputs: Vec<Artifact>) -> Self {
        self.inputs = inputs;
        self
    }
}

/// The digest of something that no call was given.
pub(crate) fn foreign(bench: &Bench) -> Digest {
    bench.blobs.insert(b"nobody gave you this")
}
