//! `septet serve`: works off the queues, and begins runs.

use septet::trigger::Stop;

use super::{args::Serve, output, session::Origin, work};

/// Serves until a signal.
pub(crate) async fn serve(origin: &Origin, serve: &Serve) -> anyhow::Result<()> {
    let working = work::trigger(origin, &serve.work).await?;
    let stop = Stop::on_signals(origin.settings.work.grace())?;
    let store = origin.store();
    output::text_line(&format!("serving (store {})", store.display()))?;
    working.queues.work(&stop).await;
    Ok(())
}
