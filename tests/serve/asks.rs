//! A pipeline of small stages, triggers that watch it, and who makes requests for them.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use septet::{
    contract::{Artifact, Stage},
    pipeline::{Pipeline, RunKind, RunRequest, RunSummary, Source},
    store::Store,
    trigger::{Part, Requests, Wanted},
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use crate::store::{
    bench::Bench,
    stages::{monitor, train},
};

/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes requests of files as they are, and keeps account.
pub(crate) struct Asks {
    pipeline: Pipeline,
    pub(crate) count: AtomicU32,
    /// Why nothing can be asked for now.
    pub(crate) refused: Mutex<Option<String>>,
    pub(crate) wanted: Mutex<Vec<Wanted>>,
}

impl Asks {
    pub(crate) fn of(bench: &Bench) -> Arc<Self> {
        Arc::new(Self {
            pipeline: bench.pipeline.clone(),
            count: AtomicU32::new(0),
            refused: Mutex::default(),
            wanted: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Requests for Asks {
    async fn request(&self, wanted: Wanted) -> anyhow::Result<RunRequest> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(why) = self.refused.lock().unwrap().clone() {
            anyhow::bail!("{why}");
        }
        let store = self.pipeline.store();
        let mut sources = Vec::new();
        for part in &wanted.data {
            sources.push(source(store, part).await?);
        }
        let mut request = match wanted.kind {
            RunKind::Train => train(store, 1.0).await,
            kind => RunRequest {
                kind,
                ..monitor(&self.pipeline).await
            },
        };
        if wanted.kind == RunKind::Monitor {
            let options = Value::Object(wanted.options.clone());
            request.parameters.insert(Stage::Monitor, options);
        }
        request.sources = sources;
        request.trace.clone_from(&wanted.trace);
        self.wanted.lock().unwrap().push(wanted);
        Ok(request)
    }
}

async fn source(store: &Store, part: &Part) -> anyhow::Result<Source> {
    let Part::Path(path) = part else {
        anyhow::bail!("a trigger here names files")
    };
    let bytes = std::fs::read(path)?;
    anyhow::ensure!(!bytes.is_empty(), "{} is empty", path.display());
    Ok(Source {
        label: path.display().to_string(),
        artifact: Artifact {
            name: "source".to_owned(),
            digest: store.blobs.put(&bytes).await?,
            size: bytes.len() as u64,
            media_type: "text/csv".to_owned(),
        },
    })
}

/// Triggers that watch until they are told to stop.
pub(crate) struct Watching {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watching {
    pub(crate) fn new() -> Self {
        Self {
            stop: watch::Sender::new(false),
            tasks: Vec::new(),
        }
    }

    /// A future that ends when all are told to stop.
    pub(crate) fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    pub(crate) fn watch(&mut self, trigger: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(trigger));
    }

    /// All stop, and soon.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            tokio::time::timeout(LIMIT, task).await.unwrap().unwrap();
        }
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn until<F, W>(mut so: F) -> impl Future<Output = ()>
where
    F: FnMut() -> W,
    W: Future<Output = bool>,
{
    let place = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < LIMIT, "it never came to that: {place}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The runs, the first one first.
pub(crate) async fn runs(bench: &Bench) -> Vec<RunSummary> {
    let mut runs = bench.pipeline.runs(1000).await.unwrap();
    runs.reverse();
    runs
}

/// Waits until there are so many runs.
pub(crate) async fn until_runs(bench: &Bench, count: usize) {
    until(async || runs(bench).await.len() >= count).await;
}
