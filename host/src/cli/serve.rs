//! `septet serve`: works off the queues, and begins runs.

use std::sync::Arc;

use anyhow::Context as _;
use septet::trigger::{
    Folder, Requests, Stop, Timer,
    http::{self, Api},
};
use tokio::net::TcpListener;

use super::{
    args::Serve,
    output,
    session::Origin,
    wanted::{self, Wants},
    work,
};

/// Serves until a signal.
pub(crate) async fn serve(origin: Origin, serve: &Serve) -> anyhow::Result<()> {
    // What is wrong with the settings is told before anything is opened.
    let (folders, timers) = wanted::rules(&origin.settings)?;
    let http = &origin.settings.http;
    let (address, settings) = (http.address()?, origin.http().await?);
    // A port that is taken is told before anything is compiled.
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| {
        format!("{address} can't be listened on: name another address with listen of [http]")
    })?;
    let address = listener.local_addr()?;
    let working = work::trigger(&origin, &serve.work).await?;
    let stop = Stop::on_signals(origin.settings.work.grace())?;
    let origin = Arc::new(origin);
    let pipeline = &working.session.pipeline;
    let requests: Arc<dyn Requests> = Arc::new(Wants::new(
        Arc::clone(&origin),
        Arc::clone(&working.session),
    ));
    for rule in folders {
        let folder = Folder::new(pipeline.clone(), Arc::clone(&requests), rule);
        tokio::spawn(folder.watch(asked(&stop)));
    }
    for rule in timers {
        let timer = Timer::new(pipeline.clone(), Arc::clone(&requests), rule);
        tokio::spawn(timer.watch(asked(&stop)));
    }
    let api = Api {
        pipeline: pipeline.clone(),
        stages: Arc::clone(&working.session.stages),
        requests,
        settings,
    };
    let answering = tokio::spawn(http::serve(listener, api, asked(&stop)));
    let store = origin.store();
    output::text_line(&format!(
        "serving http://{address} (store {})",
        store.display()
    ))?;
    working.queues.work(&stop).await;
    answering.await.context("the server broke")?
}

/// Comes back when a stop is asked for.
fn asked(stop: &Stop) -> impl Future<Output = ()> + Send + 'static {
    let stop = stop.clone();
    async move { stop.asked().await }
}
