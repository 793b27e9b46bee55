//! `septet serve`: works off the queues, and begins runs.

use std::sync::Arc;

use septet::trigger::{Folder, Requests, Stop, Timer};

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
    let store = origin.store();
    output::text_line(&format!("serving (store {})", store.display()))?;
    working.queues.work(&stop).await;
    Ok(())
}

/// Comes back when a stop is asked for.
fn asked(stop: &Stop) -> impl Future<Output = ()> + Send + 'static {
    let stop = stop.clone();
    async move { stop.asked().await }
}
