//! What is seen of components that are tried: canaries, which answer a share of the calls, and shadows,
//! which are given copies of some and whose answers count for nothing.
//!
//! # Layout
//! - `latency`, `tally`: how long calls took, in buckets, and how they ended.
//! - `chance`, `verdict`: whether a canary is worse than what is in force, or only unlucky.
//! - `compared`: what a shadow answered otherwise.
//! - `own`, `book`: what this process has seen, and the records that all processes write of it.
//! - `call`: calls of the queue: what a canary's came to, and a shadow's copy of one.
//!
//! # Records
//! `canaries/<stage>/<entry>/<process>-<number>` and `shadows/…` alike: all that a process has seen
//! since the entry of the log began the trial. A newer one of the same process has a greater number and
//! holds what the one before held, which is then deleted: so there are as many records as processes,
//! nothing is counted twice, and no record ever changes. When the trial ends they are deleted.
//!
//! This module must not know what a component does or what a call is about.

mod book;
mod call;
mod chance;
mod compared;
mod latency;
mod own;
mod tally;
mod verdict;

pub use book::Trials;
pub use compared::{Compared, Difference, Used};
pub use latency::Latencies;
pub use tally::{Observed, Tally};
pub use verdict::Bounds;
