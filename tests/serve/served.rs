//! A server in this process, over a store in a folder, with the real components.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use septet::{
    components::EMBEDDED,
    contract::Stage,
    pipeline::{
        ModelRef, Pinned, PinnedModel, Pipeline, RunKind, RunRequest, RunState, Silent, Source,
        Worker,
    },
    stage::{Grants, Limits, StageExecutor},
    store::{Local, Mode},
    swap::Swapper,
    trigger::{
        Part, Requests, Stages, Wanted,
        http::{Api, Aside, HttpSettings, serve},
    },
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

use super::client::Client;
use crate::support::septet::Workplace;

/// A server, and the workplace whose store it serves.
pub(crate) struct Served {
    pub(crate) client: Client,
    pub(crate) pipeline: Pipeline,
    pub(crate) workplace: Workplace,
    stages: Arc<StageExecutor>,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Served {
    /// A server on a free port.
    pub(crate) fn new() -> Self {
        Self::with(HttpSettings::default())
    }

    pub(crate) fn with(settings: HttpSettings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let workplace = Workplace::new();
        let folder = workplace.path(".septet");
        let local = Local::open(&folder, Mode::Create);
        let store = runtime.block_on(local).unwrap().store();
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let stages = StageExecutor::new(
            &EMBEDDED,
            Some(&cache),
            Limits::default(),
            Grants::default(),
            Arc::clone(&store.blobs),
        );
        let stages = Arc::new(stages.unwrap());
        let pipeline = Pipeline::new(store);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let api = Api {
            aside: Arc::new(Aside::new().unwrap()),
            swapper: Arc::new(Swapper::new(pipeline.clone(), Arc::clone(&stages))),
            pipeline: pipeline.clone(),
            stages: Arc::clone(&stages),
            requests: Arc::new(Plain {
                pipeline: pipeline.clone(),
                stages: Arc::clone(&stages),
            }),
            settings,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = runtime.spawn(serve(listener, api, async {
            let _ = stopped.await;
        }));
        Self {
            client: Client(address),
            pipeline,
            workplace,
            stages,
            runtime,
            stop: Some(stop),
            task: Some(task),
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Works until the run is finished.
    pub(crate) fn work(&self, run: &str) -> RunState {
        let executor = Arc::new(Stages(Arc::clone(&self.stages)));
        let worker = Worker::new(self.pipeline.clone(), executor, Arc::new(Silent));
        let drained = async {
            let most = Duration::from_mins(5);
            tokio::time::timeout(most, worker.drain(run)).await
        };
        self.wait(drained).expect("a run ends").unwrap()
    }

    /// Trains a model on the demo's data; gives its version's number.
    pub(crate) fn train(&self, model: &str, algorithm: &str) -> u32 {
        self.train_for(model, "species", algorithm)
    }

    /// As `train`, for another column.
    pub(crate) fn train_for(&self, model: &str, target: &str, algorithm: &str) -> u32 {
        let text = std::fs::read_to_string(crate::support::septet::demo("penguins.csv")).unwrap();
        let asked = self.client.post(
            "/api/runs",
            &json!({
                "kind": "train", "model": model,
                "data": [{"name": "penguins.csv", "text": text}],
                "options": {"target": target, "algorithm": algorithm},
            }),
        );
        let run = asked.json(201)["run"].as_str().unwrap().to_owned();
        let state = self.work(&run);
        let bundle = state.output(Stage::Train, "bundle").unwrap().digest;
        let model = self.wait(self.pipeline.registry().state(model)).unwrap();
        model.version_of(&bundle).unwrap().pinned.number
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            let ended = async { tokio::time::timeout(Duration::from_mins(1), task).await };
            let ended = self.runtime.block_on(ended);
            ended.expect("it stops").unwrap().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// Requests with the options that these tests need.
struct Plain {
    pipeline: Pipeline,
    stages: Arc<StageExecutor>,
}

#[async_trait]
impl Requests for Plain {
    async fn request(&self, wanted: Wanted) -> anyhow::Result<RunRequest> {
        let option = |name: &str| wanted.options.get(name).cloned();
        let stored = wanted.data.into_iter().map(|part| match part {
            Part::Stored { label, artifact } => Ok(Source { label, artifact }),
            Part::Path(path) => anyhow::bail!("a path came in: {}", path.display()),
        });
        let sources = stored.collect::<anyhow::Result<Vec<_>>>()?;
        let mut components = BTreeMap::new();
        for stage in Stage::ALL {
            let component = self.stages.catalog().embedded(stage).context("embedded")?;
            components.insert(stage, component);
        }
        let mut parameters: BTreeMap<Stage, Value> = BTreeMap::new();
        let mut model = None;
        let name = wanted.model.context("name a model")?;
        let (mut called, mut transforms) = (name.clone(), Vec::new());
        if wanted.kind == RunKind::Train {
            let target = option("target").context("--target is needed")?;
            parameters.insert(Stage::Preprocess, json!({ "target": target }));
            if let Some(algorithm) = option("algorithm") {
                parameters.insert(Stage::Train, json!({ "algorithm": algorithm }));
            }
        } else {
            let asked: ModelRef = name.parse()?;
            let version = self.pipeline.registry().resolve(&asked).await?;
            transforms = version.pinned.transforms();
            called.clone_from(&asked.name);
            model = Some(PinnedModel {
                name: asked.name,
                asked: asked.selector.to_string(),
                version: version.pinned,
            });
        }
        Ok(RunRequest {
            kind: wanted.kind,
            name: called,
            sources,
            parameters,
            seed: option("seed").and_then(|seed| seed.as_u64()).unwrap_or(0),
            components,
            model,
            transforms,
            created: self.pipeline.timestamp(),
            tests: 0,
            declared: None,
            pinned: Pinned::default(),
            trace: wanted.trace,
        })
    }
}
