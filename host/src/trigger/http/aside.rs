//! Threads of low priority, for what nobody waits for: models that are loaded ahead, components that are
//! tried before they are taken, copies of requests for a shadow.
//!
//! On a machine whose processors are all busy this work goes on in what the requests leave.

use anyhow::Context as _;
use tokio::{runtime::Runtime, task::JoinHandle};

/// How much the threads give way to the others: an eighth of a processor at worst, where all others
/// want it all the time. With less they would hold what the others need for too long.
const NICE: i32 = 10;

/// The lowest priority there is.
const LOWEST: i32 = 19;

/// Threads for work that computes. Two, so that a component that takes its time does not hold up a
/// model.
const THREADS: usize = 2;

/// A runtime beside the server's.
pub(super) struct Aside {
    /// None only while it ends.
    runtime: Option<Runtime>,
}

impl Aside {
    /// Starts its threads.
    pub(super) fn new() -> anyhow::Result<Self> {
        // As a number, and not by how much: a thread begins with what the one has that started it.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        let nice = (own + NICE).min(LOWEST);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(THREADS * 4)
            .thread_name("septet-aside")
            .enable_all()
            // For this thread alone, as Linux has it. Where it can't be done the work is as urgent as
            // all other, and no less right.
            .on_thread_start(move || {
                let _ = rustix::process::setpriority_process(None, nice);
            })
            .build()
            .context("the threads beside the server can't be started")?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Begins work that is not waited for, or by those only who can.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        Some(self.runtime.as_ref()?.spawn(work))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What is under way is cut off at its next step: nothing of it is anybody's answer.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_threads_give_way_and_the_others_do_not() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let aside = Aside::new().unwrap();
        let there = aside.spawn(async move {
            let computing = tokio::task::spawn_blocking(nice).await.unwrap();
            (nice(), computing)
        });
        let (own, computing) = there.unwrap().await.unwrap();
        let expected = (before + NICE).min(LOWEST);
        assert_eq!((own, computing), (expected, expected));
        assert_eq!(nice(), before);
    }
}
