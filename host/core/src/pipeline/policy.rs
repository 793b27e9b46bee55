//! How often, how long and how many at once: the numbers of the worker.

use std::time::Duration;

use crate::contract::Digest;

/// How often, how long and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// A message belongs to its receiver for so long; it is renewed while the stage runs.
    pub lease: Duration,
    /// How long it takes at most until work is stopped that is not this worker's any more.
    pub watch: Duration,
    /// An invocation is given up after so many faults.
    pub failures: u32,
    /// A message is given up that was received so often without an answer: whoever takes it does
    /// not survive it.
    pub deliveries: u32,
    /// An invocation is given up after so many attempts, those that a stage asked for included.
    pub attempts: u32,
    /// The wait after the first fault; it doubles with each.
    pub backoff: Duration,
    /// The longest wait after a fault.
    pub longest_backoff: Duration,
    /// The longest wait that a stage may ask for.
    pub longest_delay: Duration,
    /// The wait between looks at queues that were empty.
    pub poll: Duration,
    /// How many invocations run at once.
    pub concurrency: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            watch: Duration::from_secs(1),
            failures: 5,
            deliveries: 10,
            attempts: 20,
            backoff: Duration::from_millis(200),
            longest_backoff: Duration::from_secs(30),
            longest_delay: Duration::from_hours(24),
            poll: Duration::from_millis(50),
            concurrency: 2,
        }
    }
}

impl Policy {
    /// The wait after the fault with this number, from 0. It doubles with each, less up to a
    /// quarter that `salt` decides, so that those who failed together do not come back together.
    pub(super) fn wait(&self, failures: u32, salt: &str) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.min(16));
        let wait = self.backoff.saturating_mul(doubled);
        let wait = wait.min(self.longest_backoff);
        let digest = Digest::of(format!("{salt}/{failures}").as_bytes()).to_string();
        let jitter = u32::from_str_radix(digest.get(..2).unwrap_or("0"), 16).unwrap_or(0);
        wait.saturating_sub(wait / 1024 * jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let policy = Policy::default();
        for failures in 0..40 {
            let full = policy.backoff * 2_u32.pow(failures.min(16));
            let full = full.min(policy.longest_backoff);
            let wait = policy.wait(failures, "salt");
            assert!(wait <= full && wait >= full * 3 / 4, "{failures}: {wait:?}");
        }
        assert_ne!(policy.wait(3, "a"), policy.wait(3, "b"));
    }
}
