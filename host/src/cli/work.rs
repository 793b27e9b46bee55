//! `septet work`: works off the queues of a store until it is told to stop.

use std::{sync::Arc, time::Duration};

use septet::{
    contract::Stage,
    pipeline::Pipeline,
    store::Mode,
    trigger::{QueueTrigger, Stages, Stop},
};

use super::{
    args::{Share, Work},
    drawing::Drawing,
    lines::Lines,
    output,
    session::{Origin, Session},
};

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(200);

/// How often queues that were empty are looked at where each look is paid for.
const FAR_POLL: Duration = Duration::from_millis(500);

/// Works until a signal, or until all is done.
pub(crate) async fn work(origin: &Origin, work: &Work) -> anyhow::Result<()> {
    let worker = trigger(origin, &work.share).await?;
    let stop = Stop::on_signals(origin.settings.work.grace())?;
    let store = origin.store();
    let stages: Vec<&str> = worker.stages.iter().map(|stage| stage.name()).collect();
    let stages = stages.join(", ");
    output::text_line(&format!("working on {stages} (store {})", store.display()))?;
    if work.until_empty {
        tokio::spawn(until_empty(worker.session.pipeline.clone(), stop.clone()));
    }
    worker.queues.work(&stop).await;
    Ok(())
}

/// What works off the queues, and over what.
pub(crate) struct Working {
    pub(crate) session: Arc<Session>,
    pub(crate) queues: QueueTrigger,
    pub(crate) stages: Vec<Stage>,
}

/// The store, the stages, compiled, and who works off the queues.
pub(crate) async fn trigger(origin: &Origin, share: &Share) -> anyhow::Result<Working> {
    let settings = &origin.settings.work;
    let mut policy = settings.policy()?;
    if origin.account().is_some() {
        policy.poll = FAR_POLL;
    }
    let mut concurrency = settings.concurrency(share.concurrency, &origin.settings.limits)?;
    concurrency
        .stages
        .retain(|stage, _| share.stages.is_empty() || share.stages.contains(stage));
    let session = origin.session(Mode::Create).await?;
    let mut stages = share.stages.clone();
    if stages.is_empty() {
        stages = Stage::ALL.to_vec();
    }
    session.prepare(&stages, &Drawing::new()).await?;
    let queues = QueueTrigger::new(
        session.pipeline.clone(),
        Arc::new(Stages(Arc::clone(&session.stages))),
        Arc::new(Lines),
        (policy, stages.clone()),
        concurrency,
        settings.recover(),
    );
    Ok(Working {
        session: Arc::new(session),
        queues,
        stages,
    })
}

/// Asks for a stop when no run is unfinished.
async fn until_empty(pipeline: Pipeline, stop: Stop) {
    loop {
        match pipeline.is_idle().await {
            Ok(true) => return stop.ask(),
            Ok(false) => {}
            // The store's failing is told by those who work.
            Err(error) => tracing::debug!("{error:#}"),
        }
        tokio::time::sleep(LOOK).await;
    }
}
