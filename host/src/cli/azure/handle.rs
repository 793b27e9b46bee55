//! `septet azure handle`: the custom handler that the Azure Functions host starts.

use std::sync::Arc;

use async_trait::async_trait;
use septet::{
    pipeline::{Policy, Worker},
    store::Mode,
    trigger::{
        Stages, Stop, TimerRule,
        azure::{App, ContainerRule, Handler, Open, Opened, bind},
    },
};

use super::super::{
    lines::Lines,
    session::Origin,
    wanted::{self, Wants},
};
use crate::config::Host;

/// The connection that a package names, where no store is named.
const STORE: &str = "azure:PipelineStorage";

/// Answers the Functions host until a signal.
pub(crate) async fn handle(mut origin: Origin) -> anyhow::Result<()> {
    let host = Host::read()?;
    // The Functions host asks whether somebody is there, and waits half a minute at most.
    let listener = bind(host.port).await?;
    let app = App::read(&host.root)?;
    let (_, timers) = wanted::rules(&origin.settings)?;
    let containers = wanted::containers(&origin.settings)?;
    let policy = origin.settings.work.policy()?;
    // The listener is this machine's own, and so no key has to be set. What is wrong with the
    // settings is told at once; a key that is in a vault is fetched when the store is opened.
    let http = origin.settings.http.settings()?;
    if !origin.names_a_store() {
        origin.settings.store = Some(STORE.into());
    }
    if origin.environment.native.is_none() {
        origin.environment.native = host.native();
    }
    let stop = Stop::on_signals(origin.settings.work.grace())?;
    tracing::info!("functions on port {}: {}", host.port, app.shown());
    let opener = Opener {
        origin: Arc::new(origin),
        containers,
        timers,
        policy,
    };
    let handler = Handler::new(app, Box::new(opener), &http, stop);
    handler.serve(listener).await
}

/// Opens the store and the stages for the first invocation.
struct Opener {
    origin: Arc<Origin>,
    containers: Vec<ContainerRule>,
    timers: Vec<TimerRule>,
    policy: Policy,
}

#[async_trait]
impl Open for Opener {
    async fn open(&self) -> anyhow::Result<Opened> {
        let origin = self.origin.as_ref();
        let (store, incoming) = match origin.azure(Mode::Create).await? {
            Some(azure) => (azure.store(), Some(Arc::new(azure))),
            None => (origin.open(Mode::Create).await?, None),
        };
        let session = Arc::new(origin.session_of(store)?);
        let stages = Arc::clone(&session.stages);
        let worker = Worker::new(
            session.pipeline.clone(),
            Arc::new(Stages(Arc::clone(&stages))),
            Arc::new(Lines),
        );
        Ok(Opened {
            worker: worker.with_policy(self.policy),
            stages,
            requests: Arc::new(Wants::new(Arc::clone(&self.origin), session)),
            incoming,
            containers: self.containers.clone(),
            timers: self.timers.clone(),
            http: origin.http().await?,
        })
    }
}
