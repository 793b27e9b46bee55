//! Threads of low priority, for what nobody waits for: models that are loaded ahead, components that are
//! tried before they are taken, copies of requests for a shadow.
//!
//! On a machine whose processors are all busy this work goes on in what the requests leave.
//!
//! On Linux its threads are of the policy `SCHED_IDLE`, and not only nice: a request that wakes up
//! takes the processor from such a thread at once, and from a nice one when its slice ends, a
//! millisecond or two later, which is several times what a prediction takes.

use anyhow::Context as _;
use tokio::{runtime::Runtime, task::JoinHandle};

/// Threads for work that computes. Two, so that a component that takes its time does not hold up a
/// model.
const THREADS: usize = 2;

/// A runtime beside the server's.
pub struct Aside {
    /// None only while it ends.
    runtime: Option<Runtime>,
}

impl Aside {
    /// Starts its threads.
    pub fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(THREADS * 4)
            .thread_name("septet-aside")
            .enable_all()
            .on_thread_start(give_way)
            .build()
            .context("the threads beside the server can't be started")?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Begins work that is not waited for, or by those only who can.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        Some(self.runtime.as_ref()?.spawn(work))
    }
}

/// Puts this thread behind all others. Where it can't be done its work is as urgent as all other, and
/// no less right.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call reads the one structure it is given, which lives on this stack, and changes
        // nothing but how the kernel schedules the calling thread (0).
        let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) };
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn its_threads_give_way_and_the_others_do_not() {
        // SAFETY: it only asks for the calling thread's policy.
        let policy = || unsafe { libc::sched_getscheduler(0) };
        let before = policy();
        assert_ne!(before, libc::SCHED_IDLE);
        let aside = Aside::new().unwrap();
        let there = aside.spawn(async move {
            let computing = tokio::task::spawn_blocking(policy).await.unwrap();
            (policy(), computing)
        });
        let there = there.unwrap().await.unwrap();
        assert_eq!(there, (libc::SCHED_IDLE, libc::SCHED_IDLE));
        assert_eq!(policy(), before);
    }
}
