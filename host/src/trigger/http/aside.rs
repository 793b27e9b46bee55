//! Threads of low priority, for what nobody waits for: models that are loaded ahead, components that are
//! tried before they are taken, copies of requests for a shadow.
//!
//! On a machine whose processors are all busy this work goes on in what the requests leave.
//!
//! On Linux its threads have short slices, and are not only nice: a request that wakes up takes the
//! processor from a nice thread when its slice ends, and the usual one is several times as long as a
//! prediction takes. They are not of the policy `SCHED_IDLE`, by which they would get next to nothing where
//! requests want all processors: a swap must come to its end there, too.

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

/// How much the threads give way to the others: they have a seventieth of a processor at worst, where
/// another thread wants it all the time.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// The slice of a thread, in nanoseconds: the least that Linux takes. It needs 6.12; earlier ones have
/// the same slice for all.
#[cfg(target_os = "linux")]
const SLICE: u64 = 100_000;

/// Puts this thread behind the others. Where it can't be done its work is as urgent as all other, and no
/// less right.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // A thread begins with what the one has that started it: it is never made more urgent.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        // `struct sched_attr` of sched_setattr(2), in its first version.
        let mut attributes = [0_u8; 48];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(place) = attributes.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        put(0, &48_u32.to_ne_bytes());
        put(16, &own.max(NICE).to_ne_bytes());
        put(24, &SLICE.to_ne_bytes());
        // SAFETY: the call reads as many bytes as the structure says that it has, which live on this
        // stack, and changes nothing but how the kernel schedules the calling thread (0).
        let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attributes.as_ptr(), 0) };
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
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let aside = Aside::new().unwrap();
        let there = aside.spawn(async move {
            let computing = tokio::task::spawn_blocking(nice).await.unwrap();
            (nice(), computing)
        });
        let there = there.unwrap().await.unwrap();
        assert_eq!(there, (before.max(NICE), before.max(NICE)));
        assert_eq!(nice(), before);
    }
}
