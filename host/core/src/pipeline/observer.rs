//! Who watches the work.

use std::time::Duration;

use super::{commit::Commit, invocation::Invocation};

/// Hears what a worker does. The calls come from several threads: be quick.
pub trait Observer: Send + Sync {
    /// A component begins.
    fn started(&self, _invocation: &Invocation, _attempt: u32) {}

    /// Steps done, and all steps where the component knows.
    fn progress(&self, _invocation: &Invocation, _done: u64, _total: Option<u64>) {}

    /// An invocation is done, executed or reused, well or not.
    fn finished(&self, _commit: &Commit) {}

    /// An attempt came to nothing; the next, with this number, comes after the delay.
    fn retried(&self, _invocation: &Invocation, _attempt: u32, _delay: Duration, _reason: &str) {}

    /// All is done, and the copies that shadows are given are waited for: so many.
    fn mirroring(&self, _copies: usize) {}

    /// A message that is none of ours was set aside.
    fn refused(&self, _queue: &str, _reason: &str) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
