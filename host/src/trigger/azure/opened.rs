//! What invocations work with. It is opened when the first one needs it: before that the Functions
//! host only wants to know that somebody is there.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use tokio::sync::Mutex;

use super::arrival::ContainerRule;
use crate::{
    pipeline::Worker,
    stage::StageExecutor,
    store::azure::Azure,
    swap::Swapper,
    trigger::{
        Requests, Timer, TimerRule,
        http::{Api, Aside, HttpSettings, router},
    },
};

/// What invocations work with.
pub struct Opened {
    /// Does what messages ask for.
    pub worker: Worker,
    /// Where models predict.
    pub stages: Arc<StageExecutor>,
    /// Makes a run's request of what is wanted.
    pub requests: Arc<dyn Requests>,
    /// Blobs that others have written; none where the store is in no account.
    pub incoming: Option<Arc<Azure>>,
    /// What becomes of them.
    pub containers: Vec<ContainerRule>,
    /// What is run by the clock.
    pub timers: Vec<TimerRule>,
    /// What is taken over HTTP. A key of it is not asked for: the Functions host asks for its own.
    pub http: HttpSettings,
}

/// Opens the store and the stages.
#[async_trait]
pub trait Open: Send + Sync {
    /// Opens them. After an error it is tried again at the next invocation.
    async fn open(&self) -> anyhow::Result<Opened>;
}

/// The same, ready to be asked.
pub(super) struct Ready {
    pub(super) worker: Worker,
    pub(super) requests: Arc<dyn Requests>,
    pub(super) incoming: Option<Arc<Azure>>,
    pub(super) containers: Vec<ContainerRule>,
    /// One look at a time: a timer knows what it saw last.
    pub(super) timers: Mutex<Vec<Timer>>,
    pub(super) router: Router,
}

impl Ready {
    pub(super) fn new(opened: Opened) -> anyhow::Result<Self> {
        let pipeline = opened.worker.pipeline();
        let timer = |rule| Timer::new(pipeline.clone(), Arc::clone(&opened.requests), rule);
        let timers = opened.timers.into_iter().map(timer).collect();
        let stages = Arc::clone(&opened.stages);
        let api = Api {
            aside: Arc::new(Aside::new()?),
            swapper: Arc::new(Swapper::new(pipeline.clone(), stages)),
            pipeline: pipeline.clone(),
            stages: opened.stages,
            requests: Arc::clone(&opened.requests),
            settings: HttpSettings {
                key: None,
                ..opened.http
            },
        };
        Ok(Self {
            worker: opened.worker,
            requests: opened.requests,
            incoming: opened.incoming,
            containers: opened.containers,
            timers: Mutex::new(timers),
            router: router(api),
        })
    }
}
