//! `septet serve`: works off the queues, and begins runs.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use septet::{
    swap::{StagesFolder, Swapper},
    trigger::{
        Folder, Requests, Stop, Timer,
        http::{self, Api, Aside},
    },
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
    let components = components(&origin, serve)?;
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
    let swapper = Arc::new(Swapper::new(
        pipeline.clone(),
        Arc::clone(&working.session.stages),
    ));
    let aside = Arc::new(Aside::new()?);
    if let Some(components) = components {
        let folder = StagesFolder::new(Arc::clone(&swapper), components);
        // A component that is tried takes nothing from those who ask.
        aside.spawn(folder.watch(asked(&stop)));
    }
    let api = Api {
        aside,
        pipeline: pipeline.clone(),
        swapper,
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

/// The folder of components to watch.
fn components(origin: &Origin, serve: &Serve) -> anyhow::Result<Option<PathBuf>> {
    let settings = origin.settings.swap.folder.as_ref();
    let Some(folder) = serve.stages_folder.as_ref().or(settings) else {
        return Ok(None);
    };
    ensure!(
        folder.is_dir(),
        "the folder of stages {} is not there: make it, or name another with --stages-folder",
        folder.display()
    );
    Ok(Some(folder.clone()))
}

/// Comes back when a stop is asked for.
fn asked(stop: &Stop) -> impl Future<Output = ()> + Send + 'static {
    let stop = stop.clone();
    async move { stop.asked().await }
}
